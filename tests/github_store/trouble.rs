//! What goes wrong, and how it ends.

use super::*;

async fn publish(github: &GitHub, files: &Files, mode: Mode) -> Result<Receipt, Fault> {
    let upload = files.upload(ASSETS[0], b"binary");
    open(github, Role::Write).store.publish(&release(mode), &upload).await
}

fn alone() -> StoreRelease {
    StoreRelease { expected: vec![ASSETS[0].into()], ..release(Mode::Sealed) }
}

#[tokio::test]
async fn lost_answers_and_leftovers_end_in_one_release() {
    use Goes::{DoneThen502, DoneThenReset, NotFound, ResetAfter, StarterThen502, Status};
    for sealed in [false, true] {
        for (operation, fault) in [
            (Operation::CreateRelease, DoneThen502),
            (Operation::CreateRelease, DoneThenReset),
            (Operation::CreateRelease, Status(500)),
            (Operation::Upload, DoneThen502),
            (Operation::Upload, DoneThenReset),
            (Operation::Upload, StarterThen502),
            (Operation::Upload, ResetAfter(3)),
            (Operation::Upload, Status(503)),
            (Operation::Upload, NotFound),
            (Operation::EditRelease, DoneThen502),
            (Operation::EditRelease, DoneThenReset),
            (Operation::EditRelease, Status(500)),
            (Operation::AnyApi, Status(502)),
        ] {
            let (github, files) = (github(), Files::new());
            github.next(operation, fault.clone());
            let release = if sealed { alone() } else { release(Mode::Append) };
            let upload = files.upload(ASSETS[0], b"binary");
            let opened = open(&github, Role::Write);
            let receipt = opened.store.publish(&release, &upload).await;
            let receipt =
                receipt.unwrap_or_else(|error| panic!("{operation:?} {fault:?}: {error}"));
            let created = Receipt { published: Published::Created, waits_for: Vec::new() };
            assert_eq!(receipt, created, "{operation:?} {fault:?}");
            let releases = github.releases();
            assert_eq!(releases.len(), 1, "{operation:?} {fault:?}");
            assert!(!releases[0].draft);
            assert_eq!(releases[0].assets.len(), 2);
            assert_eq!(releases[0].asset(ASSETS[0]).unwrap().bytes, &b"binary"[..]);
        }
    }
}

#[tokio::test]
async fn who_was_faster_is_compared_with() {
    for (theirs, published) in [
        (None, Published::Identical),
        (Some(b"other".to_vec()), Published::Conflict { theirs: digest(b"other") }),
    ] {
        let (github, files) = (github(), Files::new());
        github.next_upload(Goes::SomebodyWasFaster(theirs));
        assert_eq!(publish(&github, &files, Mode::Append).await.unwrap().published, published);
    }
    let (github, files) = (github(), Files::new());
    github.next_create(Goes::SomebodyWasFaster(None));
    assert_eq!(publish(&github, &files, Mode::Append).await.unwrap().published, Published::Created);
    assert_eq!(github.releases().len(), 1);
}

#[tokio::test]
async fn what_somebody_left_half_made_is_waited_out_and_replaced() {
    let (github, files) = (github(), Files::new());
    github.add_release(NewRelease::tagged(TAG).starter(ASSETS[0]));
    assert_eq!(publish(&github, &files, Mode::Append).await.unwrap().published, Published::Created);
    let stored = github.release(TAG).unwrap();
    assert_eq!(stored.asset(ASSETS[0]).unwrap().bytes, &b"binary"[..]);
}

#[tokio::test]
async fn refusals_say_why_and_what_to_do() {
    type Spoil = fn(&GitHub);
    let cases: [(Spoil, Role, &str, &str); 5] = [
        (|_| (), Role::Read, "the login from a test may not write to", "contents: write"),
        (
            |g| _ = g.next_upload(Goes::NotAccessible),
            Role::Write,
            "may not write to",
            "contents: write",
        ),
        (
            |g| _ = g.always(Operation::CreateRelease, Goes::NotFound),
            Role::Write,
            "cannot write to",
            "scope `repo`",
        ),
        (
            |g| _ = g.burn_tag(TAG),
            Role::Write,
            "its tag belonged to an immutable release",
            "next revision",
        ),
        (|g| _ = g.block_tags("nats-"), Role::Write, "a rule for tags of", "bypass list"),
    ];
    let modes = [release(Mode::Append), alone()];
    for ((spoil, role, why, what_to_do), release) in
        cases.into_iter().flat_map(|case| modes.clone().map(|release| (case, release)))
    {
        let (github, files) = (github(), Files::new());
        spoil(&github);
        let upload = files.upload(ASSETS[0], b"binary");
        let publish = open(&github, role).store;
        let fault = publish.publish(&release, &upload).await.unwrap_err();
        let told = fault.to_string();
        assert!(
            told.starts_with(&format!("cannot publish {TAG}/{} to github:http", ASSETS[0])),
            "{told}"
        );
        assert!(told.contains(why), "{told}");
        assert!(fault.hint.as_deref().unwrap().contains(what_to_do), "{fault:?}");
        assert!(!format!("{fault:?}").contains("ghs_"), "{fault:?}");
    }
}

#[tokio::test]
async fn a_full_release_takes_no_more() {
    let (github, files) = (github(), Files::new());
    let new = (0..1000).fold(NewRelease::tagged(TAG), |new, n| new.asset(&format!("x{n}"), vec![]));
    github.add_release(new);
    let fault = publish(&github, &files, Mode::Append).await.unwrap_err();
    assert!(fault.to_string().contains("the release is full: the server says: "), "{fault}");
    assert!(fault.hint.unwrap().contains("1000 assets"));
}

#[tokio::test]
async fn no_login_and_a_bad_one_are_told_apart() {
    let (github, files) = (github(), Files::new());
    let upload = files.upload(ASSETS[0], b"binary");
    let fault =
        open(&github, None).store.publish(&release(Mode::Append), &upload).await.unwrap_err();
    assert!(fault.to_string().contains("takes a login: forge has none"), "{fault}");
    assert_eq!(github.requests(), []);
    let opened = open_with(&github, Some("ghp_gone"), settings());
    let fault = opened.store.publish(&release(Mode::Append), &upload).await.unwrap_err();
    assert!(fault.to_string().contains("the login from a test is not valid"), "{fault}");
    assert!(fault.hint.as_deref().unwrap().contains("expired"));
    assert!(!format!("{fault:?}").contains("ghp_gone"));
}

#[tokio::test]
async fn too_many_requests_are_waited_out_and_told() {
    for fault in [
        Goes::SecondaryLimit { status: 403, retry_after: None },
        Goes::SecondaryLimit { status: 429, retry_after: None },
        Goes::SecondaryLimit { status: 403, retry_after: Some(0) },
        Goes::RateLimit { resets_in: Duration::ZERO },
    ] {
        for operation in [Operation::CreateRelease, Operation::Upload, Operation::AnyApi] {
            let (github, files) = (github(), Files::new());
            github.next(operation, fault.clone());
            let receipt = publish(&github, &files, Mode::Append).await.unwrap();
            assert_eq!(receipt.published, Published::Created, "{fault:?}");
            assert_eq!(github.release(TAG).unwrap().assets.len(), 2);
        }
    }
    let (github, files) = (github(), Files::new());
    github.next_create(Goes::SecondaryLimit { status: 403, retry_after: Some(60) });
    let opened = open(&github, Role::Write);
    let (release, upload) = (release(Mode::Append), files.upload(ASSETS[0], b"binary"));
    let told = async {
        while opened.waits.lock().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        _ = opened.store.publish(&release, &upload) => panic!("it did not wait"),
        () = told => {}
    }
    let told = opened.waits.lock().unwrap().join("\n");
    assert!(told.ends_with("wants fewer requests at a time; going on in 60 s"), "{told}");
}

#[tokio::test]
async fn a_limit_that_lasts_longer_than_forge_waits_says_until_when() {
    let (github, files) = (github(), Files::new());
    github.next_create(Goes::RateLimit { resets_in: Duration::from_secs(3000) });
    let fault = publish(&github, &files, Mode::Append).await.unwrap_err();
    let told = fault.to_string();
    assert!(told.contains("are used up until") && told.contains(" UTC"), "{told}");
    assert!(told.contains("asks to wait for 300"), "{told}");
    assert!(fault.hint.unwrap().contains("what is published already stays"));
    // Later it is completed.
    publish(&github, &files, Mode::Append).await.unwrap();
    assert_eq!(github.releases().len(), 1);
}

#[tokio::test]
async fn an_upload_goes_to_the_host_s_own_servers() {
    let (github, files) = (github(), Files::new());
    let elsewhere = github.clone();
    std::thread::spawn(move || _ = elsewhere.uploads_elsewhere()).join().unwrap();
    publish(&github, &files, Mode::Append).await.unwrap();
    assert_eq!(github.release(TAG).unwrap().assets.len(), 2);
    assert_token_stayed_home(&github);
}
