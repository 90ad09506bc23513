//! Executions of the stand-in server: nothing runs; each output that a command names is there, with the same words in it.

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use prost::Message;
use reapi_protocol::{
    google::{
        longrunning::{Operation, operation},
        rpc::{self, PreconditionFailure, precondition_failure::Violation},
    },
    prost_types::Any,
    reapi::{
        Action, ActionResult, Command, Digest, Directory, ExecuteOperationMetadata, ExecuteRequest,
        ExecuteResponse, ExecutedActionMetadata, OutputFile, WaitExecutionRequest,
        execution_server::Execution,
    },
};
use tonic::{Request, Response, Status, async_trait};

use super::{
    Misconduct,
    services::{Answer, Pieces, Services},
};
use crate::support::sha256;

/// What every output holds.
pub const MADE: &str = "made\n";
/// What is printed while an execution lasts: a line, and a piece of one.
pub const PRINTED: &str = "it goes on\nand";

impl Services {
    fn decoded<T: Message + Default>(&self, digest: Option<&Digest>) -> Result<T, Status> {
        let hash = digest.map(|digest| digest.hash.clone()).unwrap_or_default();
        if digest.is_some_and(|digest| digest.size_bytes == 0) {
            return Ok(T::default());
        }
        let bytes = self.world().blobs.get(&hash).cloned();
        let bytes = bytes.ok_or_else(|| missing(&hash))?;
        T::decode(bytes).map_err(|error| Status::invalid_argument(error.to_string()))
    }

    fn run(&self, action: &Digest) -> Result<ExecuteResponse, Status> {
        let action: Action = self.decoded(Some(action))?;
        let command: Command = self.decoded(action.command_digest.as_ref())?;
        let root: Directory = self.decoded(action.input_root_digest.as_ref())?;
        let misconduct = self.misconduct();
        let input = root.files.first().and_then(|file| file.digest.clone()).unwrap_or_default();
        if matches!(misconduct, Misconduct::LosesInputs | Misconduct::LosesInputsSilently)
            && self.is_first()
        {
            self.world().blobs.remove(&input.hash);
        }
        if !input.hash.is_empty() && !self.world().blobs.contains_key(&input.hash) {
            return Err(match misconduct {
                Misconduct::LosesInputsSilently => Status::internal("something is not there"),
                _ => missing(&input.hash),
            });
        }
        let digest = Digest {
            hash: sha256(MADE.as_bytes()),
            size_bytes: i64::try_from(MADE.len()).expect("a size"),
        };
        let loses = misconduct == Misconduct::LosesOutputs && self.is_first();
        match loses {
            true => drop(self.world().blobs.remove(&digest.hash)),
            false => {
                self.world().blobs.insert(digest.hash.clone(), Bytes::from_static(MADE.as_bytes()));
            }
        }
        let file = |path: &String| OutputFile {
            path: path.clone(),
            digest: Some(digest.clone()),
            ..OutputFile::default()
        };
        // Its clock is far from everybody's.
        let at = |seconds| Some(reapi_protocol::prost_types::Timestamp { seconds, nanos: 0 });
        let metadata = ExecutedActionMetadata {
            worker_start_timestamp: at(0),
            worker_completed_timestamp: at(4_102_444_800),
            ..ExecutedActionMetadata::default()
        };
        let result = ActionResult {
            execution_metadata: Some(metadata),
            output_files: command.output_paths.iter().map(file).collect(),
            stdout_raw: Bytes::from_static(match misconduct {
                Misconduct::Prints => b"it goes on\nand ends\n",
                _ => b"on a worker\n",
            }),
            ..ActionResult::default()
        };
        Ok(ExecuteResponse { result: Some(result), ..ExecuteResponse::default() })
    }
}

impl Services {
    /// An execution that names what it prints, and lasts until it may end.
    fn printing(&self, name: String, response: ExecuteResponse) -> Pieces<Operation> {
        let metadata = ExecuteOperationMetadata {
            stdout_stream_name: format!("printed/{name}"),
            ..ExecuteOperationMetadata::default()
        };
        let metadata = Any {
            type_url:
                "type.googleapis.com/build.bazel.remote.execution.v2.ExecuteOperationMetadata"
                    .into(),
            value: metadata.encode_to_vec(),
        };
        let first = Operation { metadata: Some(metadata), ..under_way(&name) };
        let services = self.clone();
        let last = async move {
            while !services.world().may_end {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
            Ok(over(&name, &response))
        };
        Box::pin(stream::iter([Ok(first)]).chain(stream::once(last)))
    }
}

/// What is said of a blob that is not there.
fn missing(hash: &str) -> Status {
    let violation = Violation {
        r#type: "MISSING".into(),
        subject: format!("blobs/{hash}/1"),
        ..Violation::default()
    };
    let failure = PreconditionFailure { violations: vec![violation] };
    let details = rpc::Status {
        code: 9,
        message: "missing".into(),
        details: vec![Any {
            type_url: "type.googleapis.com/google.rpc.PreconditionFailure".into(),
            value: failure.encode_to_vec(),
        }],
    };
    let details = details.encode_to_vec().into();
    Status::with_details(tonic::Code::FailedPrecondition, "missing", details)
}

fn under_way(name: &str) -> Operation {
    Operation { name: name.to_owned(), ..Operation::default() }
}

fn over(name: &str, response: &ExecuteResponse) -> Operation {
    let any = Any {
        type_url: "type.googleapis.com/build.bazel.remote.execution.v2.ExecuteResponse".into(),
        value: response.encode_to_vec(),
    };
    Operation { done: true, result: Some(operation::Result::Response(any)), ..under_way(name) }
}

#[async_trait]
impl Execution for Services {
    type ExecuteStream = Pieces<Operation>;

    async fn execute(&self, request: Request<ExecuteRequest>) -> Answer<Self::ExecuteStream> {
        self.enter("Execute", &request).await?;
        let action = request.into_inner().action_digest.unwrap_or_default();
        let name = action.hash.clone();
        let response = self.run(&action)?;
        if self.misconduct() == Misconduct::Prints {
            return Ok(Response::new(self.printing(name, response)));
        }
        let breaks = self.misconduct() == Misconduct::LosesStreams;
        let end = match breaks {
            true => Err(Status::unavailable("the line is cut")),
            false => Ok(over(&name, &response)),
        };
        Ok(Response::new(Box::pin(stream::iter([Ok(under_way(&name)), end]))))
    }

    type WaitExecutionStream = Pieces<Operation>;

    async fn wait_execution(
        &self,
        request: Request<WaitExecutionRequest>,
    ) -> Answer<Self::WaitExecutionStream> {
        self.enter("WaitExecution", &request).await?;
        let name = request.into_inner().name;
        let size_bytes = self.world().blobs.get(&name).map_or(0, Bytes::len);
        let size_bytes = i64::try_from(size_bytes).expect("a size");
        let action = Digest { hash: name.clone(), size_bytes };
        // The first time that is cut, too.
        let end = match self.is_first() {
            true => Err(Status::unavailable("the line is cut again")),
            false => Ok(over(&name, &self.run(&action)?)),
        };
        Ok(Response::new(Box::pin(stream::iter([end]))))
    }
}
