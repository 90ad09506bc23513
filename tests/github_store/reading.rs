//! Reading: what it costs, and who sees what.

use super::*;

#[tokio::test]
async fn a_hit_asks_neither_the_api_nor_for_a_login() {
    let github = furnished();
    let opened = open(&github, Role::Write);
    let found = opened.store.find("nats-v1", "a.tar.gz").await.unwrap().unwrap();
    assert_eq!((found.size, found.sha256), (Some(6), None));
    assert_eq!(read(&*opened.store, "nats-v1", "a.tar.gz").await.unwrap(), b"binary");
    assert_eq!(github.api_requests(), 0);
    assert_eq!(opened.purse.asked.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_miss_in_a_public_repository_costs_one_look_at_its_page() {
    let github = furnished();
    let opened = open(&github, None);
    for tag in ["nats-v1", "nats-v2", "nats-v3"] {
        assert_eq!(opened.store.find(tag, "b.tar.gz").await.unwrap(), None);
        assert!(opened.store.open(tag, "b.tar.gz").await.unwrap().is_none());
    }
    assert_eq!(github.api_requests(), 0);
    assert_eq!(github.count(|asked| asked.operation == Operation::Page), 1);
    assert_eq!(opened.purse.asked.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_private_repository_is_read_by_the_api_and_the_token_stays_there() {
    for (asks_to_sign_in, hands_out) in [(false, false), (true, false), (false, true)] {
        let github = github();
        let names: Vec<_> = (0..40).map(|n| format!("asset-{n}.tar.gz")).collect();
        let new = names.iter().fold(NewRelease::tagged("nats-v1"), |release, name| {
            release.asset(name, name.clone().into_bytes())
        });
        github.add_release(new).make_private();
        if asks_to_sign_in {
            github.asks_to_sign_in();
        }
        if hands_out {
            github.hands_out_assets();
        }
        let opened = open(&github, Role::Read);
        let looks = names.iter().map(|name| opened.store.find("nats-v1", name));
        for (found, name) in join_all(looks).await.into_iter().zip(&names) {
            let found = found.unwrap().unwrap();
            assert_eq!(found.size, Some(name.len() as u64));
            assert_eq!(found.sha256, Some(digest(name.as_bytes())));
        }
        assert!(github.api_requests() <= 4, "{} requests", github.api_requests());
        assert_eq!(
            read(&*opened.store, "nats-v1", &names[39]).await.unwrap(),
            names[39].as_bytes()
        );
        assert_eq!(opened.store.find("nats-v1", "absent").await.unwrap(), None);
        assert_eq!(opened.store.find("nats-v2", &names[0]).await.unwrap(), None);
        assert_eq!(opened.purse.asked.load(Ordering::Relaxed), 1);
        assert_token_stayed_home(&github);
    }
}

#[tokio::test]
async fn a_repository_that_cannot_be_seen_is_no_miss() {
    let github = furnished();
    github.make_private();
    let opened = open(&github, None);
    for _ in 0..3 {
        let fault = opened.store.find("nats-v1", "a.tar.gz").await.unwrap_err();
        assert!(
            fault
                .to_string()
                .contains("does not exist, or is private: forge has no login for `127."),
            "{fault}"
        );
        let hint = fault.hint.unwrap();
        assert!(hint.contains("FORGE_GITHUB_TOKEN") && hint.contains("gh auth login"), "{hint}");
    }
    assert!(opened.store.open("nats-v1", "a.tar.gz").await.is_err());
    assert_eq!(github.count(|asked| asked.operation == Operation::Page), 1);

    let fault = open(&github, Role::Outsider).store.find("nats-v1", "a.tar.gz").await.unwrap_err();
    assert!(fault.to_string().contains("the login from a test cannot see it"), "{fault}");

    let elsewhere = format!("github:{}/owner/nothing", github.url());
    let nothing = store::open(&StoreUrl::parse(&elsewhere).unwrap(), &settings()).unwrap();
    assert!(nothing.find("nats-v1", "a.tar.gz").await.is_err());
}

#[tokio::test]
async fn a_page_with_status_200_is_no_asset() {
    let github = furnished();
    github.always(Operation::Download, Goes::Html);
    let fault = open(&github, None).store.find("nats-v1", "a.tar.gz").await.unwrap_err();
    assert!(fault.to_string().contains("a web page instead of the file"), "{fault}");
    assert!(open(&github, None).store.open("nats-v1", "a.tar.gz").await.is_err());
    // With a login there is another way.
    let found = open(&github, Role::Read).store.find("nats-v1", "a.tar.gz").await.unwrap().unwrap();
    assert_eq!(found.sha256, Some(digest(b"binary")));
}

#[tokio::test]
async fn trouble_with_pages_is_no_miss() {
    for fault in [Goes::Status(500), Goes::Status(429), Goes::NotAccessible, Goes::RedirectToItself]
    {
        let github = furnished();
        github.always(Operation::Download, fault);
        assert_eq!(
            open(&github, None).store.find("nats-v1", "x").await.unwrap_err().kind,
            Kind::Store
        );
    }
    let github = furnished();
    github.always(Operation::Page, Goes::Status(503));
    assert!(open(&github, None).store.find("nats-v1", "x").await.is_err());
}

#[tokio::test]
async fn cut_downloads_go_on_where_they_stopped() {
    for private in [false, true] {
        let github = github();
        let bytes = noise(700_000);
        github.add_release(NewRelease::tagged("nats-v1").asset("a.tar.gz", bytes.clone()));
        if private {
            github.make_private();
        }
        let opened = open(&github, private.then_some(Role::Read));
        for _ in 0..3 {
            github.next_transfer(Goes::ResetAfter(100_000));
        }
        assert!(read(&*opened.store, "nats-v1", "a.tar.gz").await.unwrap() == bytes);
        assert_eq!(github.downloads(), 4);
        assert_token_stayed_home(&github);
    }
}
