//! Releases that become visible when they are complete.

use super::*;

fn missing(there: &[&str]) -> Vec<String> {
    let is_missing = |name: &String| !there.iter().any(|asset| name.starts_with(asset));
    complete().into_iter().filter(is_missing).collect()
}

#[tokio::test]
async fn a_draft_waits_for_all_platforms() {
    let (github, files) = (github(), Files::new());
    github.make_immutable();
    for (at, asset) in ASSETS.iter().enumerate() {
        let opened = open(&github, Role::Admin);
        let upload = files.upload(asset, asset.as_bytes());
        let receipt = opened.store.publish(&release(Mode::Detected), &upload).await.unwrap();
        let waits_for = missing(&ASSETS[..=at]);
        assert_eq!(receipt, Receipt { published: Published::Created, waits_for });
        let known = opened.store.release(TAG).await.unwrap().unwrap();
        assert_eq!((known.is_draft, known.is_immutable), (at < 3, at == 3));
        assert_eq!(opened.store.find(TAG, asset).await.unwrap().is_some(), at == 3);
    }
    let sealed = github.release(TAG).unwrap();
    assert!(sealed.immutable);
    assert_eq!(sealed.asset_names(), complete());

    // What is sealed is compared with, and takes nothing more.
    let opened = open(&github, Role::Admin);
    let again = files.upload(ASSETS[0], ASSETS[0].as_bytes());
    let receipt = opened.store.publish(&release(Mode::Detected), &again).await.unwrap();
    assert_eq!(receipt, Receipt { published: Published::Identical, waits_for: Vec::new() });
    for mode in [Mode::Detected, Mode::Append] {
        let late = files.upload("n-windows-amd64.zip", b"late");
        let fault = opened.store.publish(&release(mode), &late).await.unwrap_err();
        let told = fault.to_string();
        assert!(told.contains("is immutable and has no n-windows-amd64.zip"), "{told}");
        assert!(fault.hint.unwrap().contains("next version or revision"));
    }
    assert_eq!(github.releases().len(), 1);
}

#[tokio::test]
async fn who_may_not_ask_sees_from_the_newest_release_that_they_are_immutable() {
    let (github, files) = (github(), Files::new());
    github.make_immutable();
    github.add_release(NewRelease::tagged("older-v1"));
    let opened = open(&github, Role::Write);
    let upload = files.upload(ASSETS[0], b"binary");
    let receipt = opened.store.publish(&release(Mode::Detected), &upload).await.unwrap();
    assert_eq!(receipt.waits_for, missing(&ASSETS[..1]));
    assert!(github.release(TAG).unwrap().draft);
}

#[tokio::test]
async fn of_several_drafts_the_first_is_agreed_on() {
    let (github, files) = (github(), Files::new());
    // Two that were left, one of them empty.
    github.add_release(NewRelease::tagged(TAG).draft().asset(ASSETS[0], b"0".to_vec()));
    github.add_release(NewRelease::tagged(TAG).draft());
    for (asset, bytes) in ASSETS.iter().zip([b"0", b"1", b"2", b"3"]) {
        let opened = open(&github, Role::Write);
        opened.store.publish(&release(Mode::Sealed), &files.upload(asset, bytes)).await.unwrap();
    }
    let releases = github.releases();
    assert_eq!(releases.len(), 1, "{releases:?}");
    assert_eq!(
        (releases[0].draft, releases[0].asset_names()),
        (false, complete().iter().map(String::as_str).collect())
    );
}

#[tokio::test]
async fn a_draft_that_is_created_twice_is_one_in_the_end() {
    let (github, files) = (github(), Files::new());
    github.next_create(Goes::Twice);
    for (asset, bytes) in ASSETS.iter().zip([b"0", b"1", b"2", b"3"]) {
        let opened = open(&github, Role::Write);
        opened.store.publish(&release(Mode::Sealed), &files.upload(asset, bytes)).await.unwrap();
    }
    let releases = github.releases();
    assert_eq!((releases.len(), releases[0].draft), (1, false));
}

#[tokio::test]
async fn an_unnamed_set_is_complete_at_once() {
    let (github, files) = (github(), Files::new());
    let release = StoreRelease { expected: Vec::new(), ..release(Mode::Sealed) };
    let upload = files.upload(ASSETS[0], b"binary");
    let receipt = open(&github, Role::Write).store.publish(&release, &upload).await.unwrap();
    assert_eq!(receipt, Receipt { published: Published::Created, waits_for: Vec::new() });
    assert!(!github.release(TAG).unwrap().draft);
}

#[tokio::test]
async fn a_conflict_in_a_draft_seals_nothing_without_its_checksum() {
    let (github, files) = (github(), Files::new());
    github.add_release(NewRelease::tagged(TAG).draft().asset(ASSETS[0], b"theirs".to_vec()));
    let release = StoreRelease { expected: vec![ASSETS[0].into()], ..release(Mode::Sealed) };
    let upload = files.upload(ASSETS[0], b"ours");
    let receipt = open(&github, Role::Write).store.publish(&release, &upload).await.unwrap();
    assert_eq!(receipt.published, Published::Conflict { theirs: digest(b"theirs") });
    assert_eq!(receipt.waits_for, [format!("{}.sha256", ASSETS[0])]);
    assert!(github.release(TAG).unwrap().draft);
}

#[tokio::test]
async fn the_first_release_is_whole_when_it_is_locked_and_is_learnt_from() {
    let (github, files) = (github(), Files::new());
    github.make_immutable();
    let opened = open(&github, Role::Write);
    let first = release(Mode::Detected);
    let receipt = opened.store.publish(&first, &files.upload(ASSETS[0], b"0")).await.unwrap();
    assert_eq!((receipt.published, receipt.waits_for), (Published::Created, Vec::new()));
    assert_eq!(github.release(TAG).unwrap().assets.len(), 2, "with its checksum");
    let late = opened.store.publish(&first, &files.upload(ASSETS[1], b"1")).await;
    assert!(late.unwrap_err().to_string().contains("is immutable and has no"));
    let second = StoreRelease { tag: "arc-v1".into(), ..release(Mode::Detected) };
    let receipt = opened.store.publish(&second, &files.upload(ASSETS[0], b"0")).await.unwrap();
    assert_eq!(receipt.waits_for, missing(&ASSETS[..1]));
}

#[tokio::test]
async fn whose_draft_came_second_removes_it() {
    let (github, files) = (github(), Files::new());
    github.next_create(Goes::SomebodyWasFaster(None));
    let opened = open(&github, Role::Write);
    opened.store.publish(&release(Mode::Sealed), &files.upload(ASSETS[0], b"0")).await.unwrap();
    let releases = github.releases();
    assert_eq!((releases.len(), releases[0].draft, releases[0].assets.len()), (1, true, 2));
}

#[tokio::test]
async fn what_is_in_another_draft_moves_to_the_release_that_is_agreed_on() {
    let (github, files) = (github(), Files::new());
    let uploads = [files.upload(ASSETS[0], b"0"), files.upload(ASSETS[1], b"1")];
    let opened = open(&github, Role::Write);
    opened.store.publish(&release(Mode::Sealed), &uploads[0]).await.unwrap();
    github.add_release(NewRelease::tagged(TAG));
    opened.store.publish(&release(Mode::Sealed), &uploads[1]).await.unwrap();
    assert_eq!(github.release(TAG).unwrap().assets.len(), 2);
    assert_eq!(github.releases().len(), 2, "nothing that is nowhere else goes away");
    opened.store.publish(&release(Mode::Sealed), &uploads[0]).await.unwrap();
    let releases = github.releases();
    assert_eq!((releases.len(), releases[0].draft, releases[0].assets.len()), (1, false, 4));
}
