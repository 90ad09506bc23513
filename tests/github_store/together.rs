//! Several machines at once, and machines that are stopped: it always ends in one release.

use super::*;

/// All of `ASSETS`, each published by a machine of its own at the same time.
async fn all_at_once(github: &GitHub, files: &Files, mode: Mode) -> Vec<Receipt> {
    let machines = ASSETS.map(|asset| {
        let (opened, upload) = (open(github, Role::Write), files.upload(asset, asset.as_bytes()));
        tokio::spawn(async move {
            let receipt = opened.store.publish(&release(mode), &upload).await;
            receipt.unwrap_or_else(|fault| panic!("{fault}"))
        })
    });
    join_all(machines).await.into_iter().map(Result::unwrap).collect()
}

fn assert_one_complete_release(github: &GitHub) {
    let releases = github.releases();
    let told = || github.requests().iter().map(|asked| format!("{asked}\n")).collect::<String>();
    assert_eq!(releases.len(), 1, "{releases:#?}\n{}", told());
    assert!(!releases[0].draft);
    assert_eq!(releases[0].asset_names(), complete());
    for asset in ASSETS {
        assert_eq!(releases[0].asset(asset).unwrap().bytes, asset.as_bytes());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn four_publishers_at_once_end_in_one_release() {
    let files = Files::new();
    for round in 0..50 {
        let github = github();
        github.latency(Duration::from_micros(100 * (round % 5)));
        if round % 3 == 0 {
            github.lag(Lag::Time(Duration::from_millis(5)));
        }
        for receipt in all_at_once(&github, &files, Mode::Append).await {
            assert_eq!(receipt, Receipt { published: Published::Created, waits_for: Vec::new() });
        }
        assert_one_complete_release(&github);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn four_publishers_at_once_seal_one_release() {
    let files = Files::new();
    for round in 0..50 {
        let github = github();
        github.make_immutable();
        github.latency(Duration::from_micros(100 * (round % 5)));
        let receipts = all_at_once(&github, &files, Mode::Sealed).await;
        assert!(receipts.iter().all(|receipt| receipt.published == Published::Created));
        assert!(receipts.iter().any(|receipt| receipt.waits_for.is_empty()), "{receipts:?}");
        assert_one_complete_release(&github);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn four_publishers_of_the_same_asset_store_it_once() {
    let files = Files::new();
    for _ in 0..20 {
        let github = github();
        let machines =
            [0; 4].map(|_| {
                let (opened, upload) =
                    (open(&github, Role::Write), files.upload(ASSETS[0], b"binary"));
                async move {
                    opened.store.publish(&release(Mode::Append), &upload).await.unwrap().published
                }
            });
        let published = join_all(machines).await;
        assert_eq!(published.iter().filter(|one| **one == Published::Created).count(), 1);
        assert_eq!(published.iter().filter(|one| **one == Published::Identical).count(), 3);
        assert_eq!(github.release(TAG).unwrap().assets.len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn stopped_anywhere_it_is_completed_by_the_next() {
    let files = Files::new();
    for mode in [Mode::Append, Mode::Sealed] {
        for millis in 0..25 {
            let github = github();
            github.latency(Duration::from_micros(300));
            let (opened, upload) =
                (open(&github, Role::Write), files.upload(ASSETS[0], ASSETS[0].as_bytes()));
            let stopped = release(mode);
            let attempt = opened.store.publish(&stopped, &upload);
            let _ = tokio::time::timeout(Duration::from_micros(millis * 400), attempt).await;
            drop(opened);
            all_at_once(&github, &files, mode).await;
            assert_one_complete_release(&github);
        }
    }
}
