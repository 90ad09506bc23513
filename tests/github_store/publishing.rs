//! Publishing, when nothing goes wrong that could not.

use super::*;

#[tokio::test]
async fn what_is_published_is_found_and_never_the_latest() {
    let (github, files) = (github(), Files::new());
    let opened = open(&github, Role::Write);
    let upload = files.upload(ASSETS[0], b"binary");
    let receipt = opened.store.publish(&release(Mode::Detected), &upload).await.unwrap();
    assert_eq!(receipt, Receipt { published: Published::Created, waits_for: Vec::new() });
    assert_eq!((github.creates(), github.uploads()), (1, 2));
    assert_eq!(read(&*opened.store, TAG, ASSETS[0]).await.unwrap(), b"binary");
    let theirs = store::published_digest(&*opened.store, TAG, ASSETS[0]).await.unwrap();
    assert_eq!(theirs, Some(digest(b"binary")));
    let known = opened.store.release(TAG).await.unwrap().unwrap();
    assert_eq!((known.is_draft, known.is_immutable, known.assets.len()), (false, false, 2));
    assert_eq!(opened.store.releases().await.unwrap(), [known]);

    // Again, by somebody who knows nothing of it yet: no byte is sent.
    let again = open(&github, Role::Write);
    let receipt = again.store.publish(&release(Mode::Append), &upload).await.unwrap();
    assert_eq!(receipt.published, Published::Identical);
    assert_eq!(github.uploads(), 2);

    let other = files.upload(ASSETS[0], b"other");
    let receipt = again.store.publish(&release(Mode::Append), &other).await.unwrap();
    assert_eq!(receipt.published, Published::Conflict { theirs: digest(b"binary") });
    assert_eq!(github.release(TAG).unwrap().asset(ASSETS[0]).unwrap().bytes, &b"binary"[..]);

    for (tag, is_latest) in [("v1.0.0", true), ("nats-v3", false)] {
        let release = StoreRelease { is_latest, tag: tag.into(), ..release(Mode::Append) };
        opened.store.publish(&release, &upload).await.unwrap();
        assert_eq!(github.latest().unwrap().tag, "v1.0.0");
    }
    assert_token_stayed_home(&github);
}

#[tokio::test]
async fn what_stands_beside_an_asset_is_completed_and_the_first_stays() {
    let (github, files) = (github(), Files::new());
    let upload = files.upload(ASSETS[0], b"binary");
    let opened = open(&github, Role::Write);
    let bare = Upload { sidecars: vec![("note".into(), "first".into())], ..upload.clone() };
    opened.store.publish(&release(Mode::Append), &bare).await.unwrap();
    let more = upload.with("note".into(), "second".into());
    let receipt = opened.store.publish(&release(Mode::Append), &more).await.unwrap();
    assert_eq!(receipt.published, Published::Identical);
    let stored = github.release(TAG).unwrap();
    assert_eq!(stored.asset_names(), [ASSETS[0], &format!("{}.sha256", ASSETS[0]), "note"]);
    assert_eq!(stored.asset("note").unwrap().bytes, &b"first"[..]);
}

#[tokio::test]
async fn hosts_without_digests_are_read_back() {
    let (github, files) = (github(), Files::new());
    github.without_digests();
    let opened = open(&github, Role::Write);
    let upload = files.upload(ASSETS[0], b"binary");
    let receipt = opened.store.publish(&release(Mode::Append), &upload).await.unwrap();
    assert_eq!(receipt.published, Published::Created);
    assert!(github.downloads() >= 1);
    let receipt = open(&github, Role::Write).store.publish(&release(Mode::Append), &upload).await;
    assert_eq!(receipt.unwrap().published, Published::Identical);
    let other = files.upload(ASSETS[0], b"other");
    let receipt = opened.store.publish(&release(Mode::Append), &other).await.unwrap();
    assert_eq!(receipt.published, Published::Conflict { theirs: digest(b"binary") });
    assert_token_stayed_home(&github);
}

#[tokio::test]
async fn what_was_not_stored_as_sent_goes_away_again() {
    let (github, files) = (github(), Files::new());
    github.without_digests();
    github.next_transfer(Goes::Corrupt);
    let opened = open(&github, Role::Write);
    let upload = files.upload(ASSETS[0], b"binary");
    let fault = opened.store.publish(&release(Mode::Append), &upload).await.unwrap_err();
    assert_eq!(fault.kind, Kind::Verification);
    assert!(fault.to_string().contains("was not stored as sent"), "{fault}");
    assert!(github.release(TAG).unwrap().assets.is_empty());
    let receipt = opened.store.publish(&release(Mode::Append), &upload).await.unwrap();
    assert_eq!(receipt.published, Published::Created);
}

#[tokio::test]
async fn bytes_that_are_not_what_was_promised_are_not_sent() {
    let (github, files) = (github(), Files::new());
    let upload = Upload { sha256: digest(b"other"), ..files.upload(ASSETS[0], b"binary") };
    let fault = open(&github, Role::Write).store.publish(&release(Mode::Append), &upload).await;
    assert_eq!(fault.unwrap_err().kind, Kind::Verification);
    assert_eq!((github.creates(), github.uploads()), (0, 0));
}

#[tokio::test]
async fn a_release_that_cannot_be_seen_yet_is_waited_for() {
    for lag in [Lag::Requests(3), Lag::Time(Duration::from_millis(30))] {
        let (github, files) = (github(), Files::new());
        github.lag(lag);
        for (asset, bytes) in ASSETS.iter().zip([b"0", b"1", b"2", b"3"]) {
            let opened = open(&github, Role::Write);
            let upload = files.upload(asset, bytes);
            let receipt = opened.store.publish(&release(Mode::Append), &upload).await.unwrap();
            assert_eq!(receipt.published, Published::Created);
        }
        assert_eq!(github.releases().len(), 1);
        assert_eq!(github.release(TAG).unwrap().asset_names(), complete());
    }
}

#[tokio::test]
async fn long_lists_are_read_to_their_end() {
    let github = github();
    for number in 0..230 {
        let mut new = NewRelease::tagged(&format!("t-{number:03}"));
        for asset in 0..if number == 7 { 130 } else { 1 } {
            new = new.asset(&format!("asset-{asset:03}"), vec![asset]);
        }
        github.add_release(new);
    }
    let opened = open(&github, None);
    let releases = opened.store.releases().await.unwrap();
    assert_eq!(releases.len(), 230);
    assert!(releases.is_sorted_by_key(|release| release.tag.clone()));
    assert_eq!(releases[7].assets.len(), 130);
    let known = opened.store.release("t-007").await.unwrap().unwrap();
    assert_eq!(known, releases[7]);

    // Nothing has changed: that is asked, and costs nothing.
    let before = github.count(|asked| asked.status == 200);
    opened.store.releases().await.unwrap();
    assert_eq!(github.count(|asked| asked.status == 200), before);
    assert!(github.count(|asked| asked.status == 304) >= 3);
}

#[tokio::test]
async fn removing_takes_release_drafts_and_tag_and_may_be_repeated() {
    let (github, files) = (github(), Files::new());
    let opened = open(&github, Role::Write);
    let upload = files.upload(ASSETS[0], b"binary");
    opened.store.publish(&release(Mode::Append), &upload).await.unwrap();
    github.add_release(NewRelease::tagged(TAG).draft());
    github.add_release(NewRelease::tagged("other-v1"));
    for _ in 0..2 {
        opened.store.remove(TAG).await.unwrap();
        assert_eq!(opened.store.release(TAG).await.unwrap(), None);
        assert_eq!(github.releases().len(), 1);
        assert!(!github.refs().iter().any(|(name, _)| name.ends_with(TAG)));
    }
    let receipt = opened.store.publish(&release(Mode::Append), &upload).await.unwrap();
    assert_eq!(receipt.published, Published::Created);
}

#[tokio::test]
async fn access_says_who_asks_and_what_they_may() {
    let github = github();
    for (role, login, may_write) in [
        (None, None, Some(false)),
        (Some(Role::Read), Some("a test"), Some(false)),
        (Some(Role::Write), Some("a test"), Some(true)),
    ] {
        let access = open(&github, role).store.access().await.unwrap();
        assert_eq!(
            (access.login.as_deref(), access.may_read, access.may_write),
            (login, true, may_write)
        );
    }
    github.make_immutable();
    let access = open(&github, Role::Admin).store.access().await.unwrap();
    assert!(access.notes[0].contains("releases are immutable"), "{access:?}");
    github.make_private();
    let access = open(&github, None).store.access().await.unwrap();
    assert!(
        !access.may_read && access.notes[0].contains("does not exist, or is private"),
        "{access:?}"
    );
}

#[tokio::test]
async fn a_release_that_was_removed_meanwhile_is_made_again() {
    for mode in [Mode::Append, Mode::Sealed] {
        let (github, files) = (github(), Files::new());
        let (one, other) = (open(&github, Role::Write), open(&github, Role::Write));
        one.store.publish(&release(mode), &files.upload(ASSETS[0], b"0")).await.unwrap();
        other.store.remove(TAG).await.unwrap();
        let receipt = one.store.publish(&release(mode), &files.upload(ASSETS[1], b"1")).await;
        assert_eq!(receipt.unwrap().published, Published::Created);
        assert_eq!(github.release(TAG).unwrap().assets.len(), 2);
    }
}

#[tokio::test]
async fn names_that_the_host_would_change_are_refused() {
    let (github, files) = (github(), Files::new());
    let opened = open(&github, Role::Write);
    for name in ["a..b", "a.", "../a", "a b", ".a"] {
        let upload = files.upload(name, b"binary");
        let fault = opened.store.publish(&release(Mode::Append), &upload).await.unwrap_err();
        assert_eq!(fault.kind, Kind::Usage, "{name}");
    }
    assert_eq!(github.requests(), []);
}

#[tokio::test]
async fn after_a_burst_writes_keep_their_distance() {
    let (github, files) = (github(), Files::new());
    let fast = settings().tempo.unwrap();
    let tempo = Some(Tempo { burst: 3, between_writes: Duration::from_millis(20), ..fast });
    let token = Role::Write.token();
    let opened = open_with(&github, Some(token), StoreSettings { tempo, ..settings() });
    let (release, uploads) = (release(Mode::Append), ASSETS.map(|name| files.upload(name, b"0")));
    let begun = Instant::now();
    let all = join_all(uploads.iter().map(|upload| opened.store.publish(&release, upload))).await;
    assert!(all.iter().all(|receipt| receipt.is_ok()), "{all:?}");
    let writes = github.count(|asked| asked.method == "POST");
    assert!(writes >= 9, "{writes}");
    assert!(begun.elapsed() >= Duration::from_millis(20) * (writes as u32 - 3));
}
