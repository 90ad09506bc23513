//! The ledger, without commands: what it keeps, and what it makes of what was cut off.

use std::fs;

use super::{Artifact, Claim, DeployOwner, DeployState, Deployment, Journal, Ledger, StateChange};
use crate::model::Kind;

fn deployment(version: &str) -> Deployment {
    let digest = format!("sha256:{version}");
    Deployment {
        id: 0,
        environment: "test".into(),
        name: "api".into(),
        version: version.into(),
        artifact: Artifact::Image { repository: "r.io/api".into(), digest },
        stack: "api-test".into(),
        config: std::collections::BTreeMap::new(),
        settings: String::new(),
        recipe: None,
        url: None,
        back_from: None,
        pull_request: None,
        origin: None,
        destroys: false,
        forced: false,
        run: "a test".into(),
        owner: DeployOwner::this(),
        commands: Vec::new(),
        changes: Vec::new(),
    }
}

fn goes(ledger: &dyn Ledger, id: u64, states: &[DeployState]) {
    for state in states {
        ledger.advance(id, vec![StateChange::now(*state, "so")]).unwrap();
    }
}

#[test]
fn an_owner_on_another_machine_is_gone_when_its_sign_of_life_is_old() {
    let temp = tempfile::tempdir().unwrap();
    let ledger = Journal::in_folder(temp.path()).unwrap();
    let mut elsewhere = deployment("v1");
    elsewhere.owner.host = "elsewhere".into();
    // Its lock is not seen here.
    drop(ledger.open(elsewhere, "asked").unwrap());
    assert_eq!(ledger.history().unwrap().all[&1].state(), DeployState::Queued);
    let alive = fs::File::options().write(true).open(temp.path().join("alive/1")).unwrap();
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(600);
    alive.set_modified(long_ago).unwrap();
    assert_eq!(ledger.history().unwrap().all[&1].state(), DeployState::Interrupted);
}

#[test]
fn a_line_cut_off_is_dropped_and_damage_is_told() {
    let temp = tempfile::tempdir().unwrap();
    let ledger = Journal::in_folder(temp.path()).unwrap();
    let one = ledger.open(deployment("v1"), "asked").unwrap();
    let path = temp.path().join("ledger.jsonl");
    let whole = fs::read(&path).unwrap();
    ledger.claim(one.id, None).unwrap();
    let more = fs::read(&path).unwrap();
    for end in whole.len()..more.len() {
        fs::write(&path, &more[..end]).unwrap();
        let history = ledger.history().unwrap();
        assert_eq!(history.all[&1].state(), DeployState::Queued, "{end}");
    }
    // The next step writes over what was cut off.
    assert_eq!(ledger.claim(one.id, None).unwrap(), Claim::Yes);
    assert_eq!(ledger.history().unwrap().all[&1].state(), DeployState::Checking);
    let mut damaged = fs::read(&path).unwrap();
    damaged[40] ^= 1;
    fs::write(&path, &damaged).unwrap();
    let fault = ledger.history().unwrap_err();
    assert_eq!(fault.kind, Kind::Verification);
    assert!(fault.to_string().contains("line 1 is not what was written there"), "{fault}");
    fs::write(&path, whole.split_inclusive(|b| *b == b'\n').nth(1).unwrap()).unwrap();
    let fault = ledger.history().unwrap_err();
    assert!(fault.to_string().contains("line 1 is not what was written there"), "{fault}");
    // A whole line at the end is damage as well.
    let last = [&whole[..], b"0123456789abcdef {}\n"].concat();
    fs::write(&path, last).unwrap();
    assert_eq!(ledger.history().unwrap_err().kind, Kind::Verification);
}

#[test]
fn turns_come_in_order_and_a_part_has_that_of_its_whole() {
    let temp = tempfile::tempdir().unwrap();
    let ledger = Journal::in_folder(temp.path()).unwrap();
    let (one, two) =
        (ledger.open(deployment("v1"), "").unwrap(), ledger.open(deployment("v2"), "").unwrap());
    let behind = |claim: Claim| match claim {
        Claim::Behind(other) => other.id,
        Claim::Yes => 0,
    };
    assert_eq!(behind(ledger.claim(two.id, None).unwrap()), one.id);
    assert_eq!(ledger.claim(one.id, None).unwrap(), Claim::Yes);
    assert_eq!(behind(ledger.claim(two.id, None).unwrap()), one.id);
    let back = ledger.open(deployment("v0"), "").unwrap();
    assert_eq!(ledger.claim(back.id, Some(one.id)).unwrap(), Claim::Yes);
    drop((one, back));
    // Their owners are gone.
    assert_eq!(ledger.claim(two.id, None).unwrap(), Claim::Yes);
    let history = ledger.history().unwrap();
    let states: Vec<_> = history.all.values().map(Deployment::state).collect();
    assert_eq!(states, [DeployState::Interrupted, DeployState::Checking, DeployState::Interrupted]);
}

#[test]
fn no_state_follows_that_may_not() {
    use DeployState::{Checking, Deploying, RollingBack, Succeeded, Verifying};
    let temp = tempfile::tempdir().unwrap();
    let ledger = Journal::in_folder(temp.path()).unwrap();
    let one = ledger.open(deployment("v1"), "").unwrap();
    goes(&ledger, one.id, &[Checking, Deploying, Verifying, Succeeded]);
    for state in DeployState::ALL {
        let change = StateChange::now(state, "");
        assert!(ledger.advance(one.id, vec![change]).is_err(), "{state}");
    }
    assert!(!Succeeded.may_become(RollingBack) && DeployState::Failed.may_become(RollingBack));
}

#[test]
fn holds_and_candidates_follow_from_the_lines() {
    use DeployState::{Checking, Deploying, Failed, RolledBack, RollingBack, Succeeded, Verifying};
    let temp = tempfile::tempdir().unwrap();
    let ledger = Journal::in_folder(temp.path()).unwrap();
    let good = [Checking, Deploying, Verifying, Succeeded];
    let one = ledger.open(deployment("v1"), "").unwrap();
    goes(&ledger, one.id, &good);
    let two = ledger.open(deployment("v2"), "").unwrap();
    goes(&ledger, two.id, &[Checking, Deploying, Failed, RollingBack]);
    let back = Deployment { back_from: Some(two.id), ..deployment("v1") };
    let back = ledger.open(back, "").unwrap();
    goes(&ledger, back.id, &good);
    goes(&ledger, two.id, &[RolledBack]);
    let history = ledger.history().unwrap();
    assert_eq!(
        history.holds("test", "api").iter().map(|it| it.version.as_str()).collect::<Vec<_>>(),
        ["v2"]
    );
    assert_eq!(history.current("test", "api").unwrap().version, "v1");
    assert!(history.candidates("test", "api", ("sha256:v1", "")).is_empty());
    assert!(history.doubt("test", "api").is_none());
    let three = ledger.open(deployment("v3"), "").unwrap();
    goes(&ledger, three.id, &good[..3]);
    // The order of lines counts: a clock that jumps changes nothing.
    let long_ago = "1970-01-01T00:00:00Z".to_owned();
    let change = StateChange { at: long_ago, ..StateChange::now(Succeeded, "") };
    ledger.advance(three.id, vec![change]).unwrap();
    let history = ledger.history().unwrap();
    assert!(history.holds("test", "api").is_empty());
    let back: Vec<_> =
        history.candidates("test", "api", ("sha256:v3", "")).iter().map(|it| it.id).collect();
    assert_eq!(back, [3]);
}

#[test]
fn what_began_last_is_what_runs_whatever_its_number() {
    use DeployState::{Deploying, Failed, RolledBack, RollingBack, Succeeded, Verifying};
    let temp = tempfile::tempdir().unwrap();
    let ledger = Journal::in_folder(temp.path()).unwrap();
    let open = |version, back_from| {
        let one = Deployment { back_from, ..deployment(version) };
        ledger.open(one, "asked").unwrap()
    };
    let turn = |id, within: Option<u64>, states: &[DeployState]| {
        assert_eq!(ledger.claim(id, within).unwrap(), Claim::Yes);
        goes(&ledger, id, states);
    };
    let first = open("v1", None);
    turn(first.id, None, &[Deploying, Verifying, Succeeded]);
    let (second, third) = (open("v2", None), open("v3", None));
    turn(second.id, None, &[Deploying, Failed, RollingBack]);
    // It has a higher number than what waits, and comes before it.
    let fourth = open("v1", Some(second.id));
    turn(fourth.id, Some(second.id), &[Deploying, Verifying, Succeeded]);
    goes(&ledger, second.id, &[RolledBack]);
    turn(third.id, None, &[Deploying, Verifying, Succeeded]);
    let history = ledger.history().unwrap();
    assert_eq!(history.current("test", "api").map(|it| it.version.as_str()), Some("v3"));
    assert!(history.doubt("test", "api").is_none());
    // A rollback that was given up while it waited holds the environment against nothing.
    let back = open("v1", Some(third.id));
    goes(&ledger, back.id, &[DeployState::Cancelled]);
    assert!(ledger.history().unwrap().holds("test", "api").is_empty());
}

#[test]
fn what_brings_an_earlier_version_back_is_before_all_that_waits() {
    let temp = tempfile::tempdir().unwrap();
    let ledger = Journal::in_folder(temp.path()).unwrap();
    let one = ledger.open(deployment("v1"), "").unwrap();
    let back = |from| ledger.open(Deployment { back_from: Some(from), ..deployment("v0") }, "");
    let (first, second) = (back(one.id).unwrap(), back(one.id).unwrap());
    let behind = |id| match ledger.claim(id, None).unwrap() {
        Claim::Behind(other) => other.id,
        Claim::Yes => 0,
    };
    assert_eq!((behind(one.id), behind(second.id)), (first.id, first.id));
    assert_eq!(behind(first.id), 0);
    goes(&ledger, first.id, &[DeployState::Failed]);
    assert_eq!((behind(one.id), behind(second.id)), (second.id, 0));
}
