//! Everything the stand-in knows, behind one lock: what an operation does, it does at once.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    answer::Answer,
    api,
    call::Call,
    contract,
    fault::{Fault, Planned},
    journal::Asked,
    objects,
    operation::{Host, Operation},
    repository::Repository,
    token::{Caller, Kind, Role, TOKENS, Token, token_in},
    web,
};

/// How long a new release cannot be looked up by its tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lag {
    /// For so many look-ups.
    Requests(usize),
    /// For so long.
    Time(Duration),
}

/// What the stand-in knows.
pub struct World {
    pub repositories: Vec<Repository>,
    pub tokens: HashMap<String, Token>,
    pub planned: Vec<Planned>,
    pub asked: Vec<Asked>,
    /// Answers that break GitHub's own description of its API.
    pub violations: Vec<String>,
    pub latency: Duration,
    /// New assets get no digest, as those of earlier years have none.
    pub without_digests: bool,
    /// The API gives an asset's bytes itself, instead of redirecting to them.
    pub hands_out_assets: bool,
    pub lag: Option<Lag>,
    /// Releases that cannot be found by their tag yet.
    pub lagging: HashMap<u64, (Lag, Instant)>,
    /// Requests of an hour with a token, and without.
    pub limits: (u64, u64),
    used: HashMap<Option<String>, u64>,
    last_id: u64,
    pub started: Instant,
}

impl World {
    /// Knows the tokens, and no repository.
    pub fn new() -> Self {
        Self {
            repositories: Vec::new(),
            tokens: TOKENS.iter().map(|(text, token)| ((*text).to_owned(), *token)).collect(),
            planned: Vec::new(),
            asked: Vec::new(),
            violations: Vec::new(),
            latency: Duration::ZERO,
            without_digests: false,
            hands_out_assets: false,
            lag: None,
            lagging: HashMap::new(),
            limits: (5000, 60),
            used: HashMap::new(),
            last_id: 1000,
            started: Instant::now(),
        }
    }

    /// A number that nothing has yet.
    pub fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// The repository `owner/repo`; names are the same in any case of letters.
    pub fn repository(&mut self, folder: &str) -> Option<&mut Repository> {
        self.repositories.iter_mut().find(|known| known.folder.eq_ignore_ascii_case(folder))
    }

    /// Who sent a request.
    pub fn caller(&self, call: &Call) -> Caller {
        let Some(header) = call.header("authorization") else { return Caller::Anonymous };
        let token = token_in(header).and_then(|token| self.tokens.get(&token));
        token.map_or(Caller::Stranger, |token| Caller::Known(*token))
    }

    /// The fault that is planned for a request; it counts as having struck.
    pub fn take_fault(&mut self, call: &Call) -> Option<Fault> {
        let meets = |planned: &Planned| {
            planned.operation.covers(call.operation(), call.host)
                && call.target.contains(&planned.path)
        };
        let at = self.planned.iter().position(meets)?;
        let planned = &mut self.planned[at];
        let fault = planned.fault.clone();
        planned.times -= 1;
        if planned.times == 0 {
            self.planned.remove(at);
        }
        Some(fault)
    }

    /// Does what is asked, and answers.
    pub fn answer(&mut self, call: &Call, body: &[u8]) -> Answer {
        let answer = match call.host {
            Host::Web => web::answer(self, call),
            Host::Object => objects::answer(self, call),
            Host::Api | Host::Upload => match self.refuses(call) {
                Some(refusal) => refusal,
                None => api::answer(self, call, body),
            },
        };
        self.finished(call, answer)
    }

    /// Adds what every answer of the API has, and checks it against the description.
    pub fn finished(&mut self, call: &Call, mut answer: Answer) -> Answer {
        if matches!(call.host, Host::Web | Host::Object) {
            return answer;
        }
        if call.host == Host::Upload && answer.status >= 400 {
            answer = answer.with_request_id(&format!("0000:{:05}", self.asked.len()));
        }
        if let Some(violation) = contract::violation(call, &answer) {
            self.violations.push(violation);
        }
        let answer = api::with_etag(call, answer);
        if answer.status != 304
            && call.host == Host::Api
            && call.operation() != Operation::RateLimit
        {
            *self.used.entry(self.purse(call)).or_default() += 1;
        }
        self.with_budget(call, answer)
    }

    /// Why a request is refused before anybody looks at what it wants.
    pub fn refuses(&mut self, call: &Call) -> Option<Answer> {
        if call.header("user-agent").is_none_or(str::is_empty) {
            let message = "Request forbidden by administrative rules. Please make sure your \
                           request has a User-Agent header (https://docs.github.com/rest).";
            return Some(Answer::refusal(403, message));
        }
        let caller = self.caller(call);
        if matches!(caller, Caller::Stranger) {
            return Some(Answer::refusal(401, "Bad credentials"));
        }
        let (limit, used) = self.budget(call);
        if used >= limit && call.operation() != Operation::RateLimit {
            return Some(Answer::rate_limited(limit, self.resets_at()));
        }
        if call.matched.name("repo").is_empty() {
            return None;
        }
        let seen =
            self.repository(&call.folder()).is_some_and(|r| !r.private || caller.may(Role::Read));
        (!seen).then(Answer::not_found)
    }

    /// Why a request that changes something is refused, if it is.
    pub fn refuses_to_let(&self, call: &Call, role: Role) -> Option<Answer> {
        match self.caller(call) {
            Caller::Known(token) if token.role >= role => None,
            Caller::Known(token) => Some(not_accessible(token.kind)),
            _ => Some(Answer::refusal(401, "Requires authentication")),
        }
    }

    /// The requests of an hour, and those that are used.
    pub fn budget(&self, call: &Call) -> (u64, u64) {
        let purse = self.purse(call);
        let limit = if purse.is_some() { self.limits.0 } else { self.limits.1 };
        (limit, self.used.get(&purse).copied().unwrap_or(0))
    }

    /// When the hour ends, in seconds since 1970.
    pub fn resets_at(&self) -> i64 {
        let begun = jiff::Timestamp::now().as_second() - self.started.elapsed().as_secs() as i64;
        begun + 3600
    }

    fn purse(&self, call: &Call) -> Option<String> {
        let token = call.header("authorization").and_then(token_in);
        token.filter(|token| self.tokens.contains_key(token))
    }

    fn with_budget(&self, call: &Call, answer: Answer) -> Answer {
        if answer.headers.iter().any(|(name, _)| *name == "x-ratelimit-remaining") {
            return answer;
        }
        let (limit, used) = self.budget(call);
        answer
            .with("x-ratelimit-limit", limit.to_string())
            .with("x-ratelimit-remaining", limit.saturating_sub(used).to_string())
            .with("x-ratelimit-used", used.to_string())
            .with("x-ratelimit-reset", self.resets_at().to_string())
            .with("x-ratelimit-resource", "core")
    }

    /// Whether a release cannot be found by its tag yet; the look-up counts.
    pub fn lags(&mut self, id: u64) -> bool {
        match self.lagging.get_mut(&id) {
            Some((Lag::Requests(left), _)) if *left > 0 => {
                *left -= 1;
                true
            }
            Some((Lag::Time(time), since)) => since.elapsed() < *time,
            _ => false,
        }
    }
}

/// 403, in the words for this kind of token.
pub fn not_accessible(kind: Kind) -> Answer {
    Answer::refusal(
        403,
        match kind {
            Kind::Integration => "Resource not accessible by integration",
            Kind::Personal => "Resource not accessible by personal access token",
        },
    )
}

/// The document in a body, which has to be an object.
pub fn document(body: &[u8]) -> Result<Value, Answer> {
    match serde_json::from_slice::<Value>(body) {
        Ok(value) if value.is_object() => Ok(value),
        Ok(_) => Err(Answer::refusal(400, "Body should be a JSON object")),
        Err(_) => Err(Answer::refusal(400, "Problems parsing JSON")),
    }
}

/// The time as GitHub writes it, to the second.
pub fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
