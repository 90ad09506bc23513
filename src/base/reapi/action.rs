//! An action: what is asked for, as the Remote Execution API has it. The SHA-256 of its bytes is the key of the
//! action cache, so its messages are in canonical form: fields by their numbers, defaults left out, lists sorted.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use prost::Message;
use reapi_protocol::reapi;

use super::{BlobContents, BlobDigest, RemoteBlob};

/// A command over files. Over none it is one that nobody runs: what it would make is known by it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RemoteAction {
    /// The words of the command.
    pub arguments: Vec<String>,
    /// Its variables: all that decides what comes out.
    pub variables: BTreeMap<String, String>,
    /// What it makes.
    pub outputs: Vec<String>,
    /// The properties of the machine that it runs on.
    pub platform: BTreeMap<String, String>,
    /// The root of what goes in; nothing for no files.
    pub inputs: Option<BlobDigest>,
    /// How long it may take.
    pub timeout: Option<Duration>,
    /// What disowns everything that was kept under another one.
    pub salt: String,
}

/// What an action made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActionOutputs {
    /// Its files.
    pub files: Vec<ActionOutput>,
    /// Who made it, as they say.
    pub worker: String,
}

/// A file that an action made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionOutput {
    /// Its path, as the action names it.
    pub path: String,
    /// What is in it.
    pub digest: BlobDigest,
    /// Whether it can be executed.
    pub is_executable: bool,
    /// Its bytes, if they came with the result and are what the digest says.
    pub contents: Option<Bytes>,
}

impl RemoteAction {
    /// The digest that the action cache goes by.
    pub fn digest(&self) -> BlobDigest {
        let [_, _, action] = self.blobs();
        action.digest
    }

    /// What the server needs to know of it: the folder of its inputs, the command, and the action last.
    pub fn blobs(&self) -> [RemoteBlob; 3] {
        let root = RemoteBlob::of_bytes(Vec::new());
        let command = RemoteBlob::of_bytes(self.command().encode_to_vec());
        let timeout = self.timeout.map(|timeout| reapi_protocol::prost_types::Duration {
            seconds: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            nanos: 0,
        });
        let inputs = self.inputs.unwrap_or(root.digest);
        let action = reapi::Action {
            command_digest: Some(command.digest.message()),
            input_root_digest: Some(inputs.message()),
            timeout,
            salt: self.salt.clone().into_bytes().into(),
            platform: Some(self.platform()),
            ..reapi::Action::default()
        };
        [root, command, RemoteBlob::of_bytes(action.encode_to_vec())]
    }

    #[allow(deprecated, reason = "older servers look for the platform in the command")]
    fn command(&self) -> reapi::Command {
        let variable = |(name, value): (&String, &String)| reapi::command::EnvironmentVariable {
            name: name.clone(),
            value: value.clone(),
        };
        let mut outputs = self.outputs.clone();
        outputs.sort();
        outputs.dedup();
        reapi::Command {
            arguments: self.arguments.clone(),
            environment_variables: self.variables.iter().map(variable).collect(),
            output_paths: outputs,
            // Also in the action; old servers look here.
            platform: self.inputs.map(|_| self.platform()),
            ..reapi::Command::default()
        }
    }

    fn platform(&self) -> reapi::Platform {
        let property = |(name, value): (&String, &String)| reapi::platform::Property {
            name: name.clone(),
            value: value.clone(),
        };
        reapi::Platform { properties: self.platform.iter().map(property).collect() }
    }
}

impl ActionOutputs {
    /// What `result` says. Nothing of it is taken whose digest is not one, or which brings more than files.
    pub(super) fn read(result: &reapi::ActionResult) -> Option<Self> {
        let file = |file: &reapi::OutputFile| {
            let digest = BlobDigest::read(file.digest.as_ref()?)?;
            let inline = RemoteBlob::of_bytes(file.contents.clone());
            Some(ActionOutput {
                path: file.path.clone(),
                digest,
                is_executable: file.is_executable,
                contents: (inline.digest == digest).then(|| file.contents.clone()),
            })
        };
        let is_plain = result.exit_code == 0
            && result.output_directories.is_empty()
            && result.output_symlinks.is_empty();
        let worker = result.execution_metadata.as_ref().map(|it| it.worker.clone());
        Some(Self {
            files: result
                .output_files
                .iter()
                .map(file)
                .collect::<Option<_>>()
                .filter(|_| is_plain)?,
            worker: worker.unwrap_or_default(),
        })
    }

    pub(super) fn message(&self) -> reapi::ActionResult {
        let file = |output: &ActionOutput| reapi::OutputFile {
            path: output.path.clone(),
            digest: Some(output.digest.message()),
            is_executable: output.is_executable,
            ..reapi::OutputFile::default()
        };
        reapi::ActionResult {
            output_files: self.files.iter().map(file).collect(),
            // No result is empty then, which some servers do not tell from none.
            execution_metadata: Some(reapi::ExecutedActionMetadata {
                worker: self.worker.clone(),
                ..reapi::ExecutedActionMetadata::default()
            }),
            ..reapi::ActionResult::default()
        }
    }
}

/// The contents of a blob that an action is, for tests of other rooms.
impl BlobContents {
    /// The bytes, where they are in memory.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::File(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action() -> RemoteAction {
        let map = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        RemoteAction {
            arguments: vec!["forge-build".into(), "nats".into()],
            variables: map(&[("FINGERPRINT", "f"), ("HOST", "h")]),
            outputs: vec!["nats".into(), ".version".into()],
            platform: map(&[("OSFamily", "linux"), ("ISA", "x86-64")]),
            ..RemoteAction::default()
        }
    }

    #[test]
    fn an_action_is_the_bytes_that_googles_library_writes() {
        // Written by Python's protobuf from the published protos; `tests/remote_cache.rs` does it anew.
        let [root, command, _] = action().blobs();
        assert_eq!(
            root.digest.to_string(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855/0"
        );
        let bytes = command.contents.bytes().unwrap().to_vec();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(
            text.starts_with(
                "\n\u{b}forge-build\n\u{4}nats\u{12}\u{10}\n\u{b}FINGERPRINT\u{12}\u{1}f"
            ),
            "{text:?}"
        );
    }

    #[test]
    fn everything_counts() {
        let first = action();
        let mut others = vec![first.clone(); 5];
        others[0].arguments.push("x".into());
        others[1].variables.insert("HOST".into(), "other".into());
        others[2].outputs.push("x".into());
        others[3].platform.insert("ISA".into(), "arm-a64".into());
        others[4].salt = "2".into();
        for other in others {
            assert_ne!(other.digest(), first.digest(), "{other:?}");
        }
        let mut sorted = first.clone();
        sorted.outputs.reverse();
        assert_eq!(sorted.digest(), first.digest());
    }

    #[test]
    fn a_result_with_links_or_folders_or_a_failure_is_none() {
        let good = ActionOutputs { files: Vec::new(), worker: "w".into() }.message();
        assert!(ActionOutputs::read(&good).is_some());
        let failed = reapi::ActionResult { exit_code: 1, ..good.clone() };
        let links = reapi::ActionResult {
            output_symlinks: vec![reapi::OutputSymlink::default()],
            ..good.clone()
        };
        let folders = reapi::ActionResult {
            output_directories: vec![reapi::OutputDirectory::default()],
            ..good.clone()
        };
        let undigested =
            reapi::ActionResult { output_files: vec![reapi::OutputFile::default()], ..good };
        for result in [failed, links, folders, undigested] {
            assert_eq!(ActionOutputs::read(&result), None);
        }
    }
}
