//! Folders, and web servers that serve them.

use std::path::Path;

use axum::Router;
use tower_http::services::ServeDir;

use super::{
    servers::{Running, is_here},
    suite::{Host, furnish, lists_many, names_are_checked, reads, settings, store, writes},
};

const FOLDER: Host = Host { takes_empty: true, decides_races: true, tells_digest: true };
const WEB: Host = Host { tells_digest: false, ..FOLDER };

#[tokio::test]
async fn a_folder_conforms() {
    let temp = tempfile::tempdir().unwrap();
    let url = format!("dir:{}", temp.path().join("store").display());
    writes(&*store(&url, &settings(&[])), FOLDER).await;
    let url = format!("dir:{}", temp.path().join("many").display());
    lists_many(&*store(&url, &settings(&[])), 130).await;
}

#[tokio::test]
async fn a_served_folder_conforms() {
    let temp = tempfile::tempdir().unwrap();
    furnish(temp.path(), WEB).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/releases", listener.local_addr().unwrap());
    let router = Router::new().nest_service("/releases", ServeDir::new(temp.path()));
    tokio::spawn(async { axum::serve(listener, router).await });
    let store = store(&base, &settings(&[]));
    reads(&*store, WEB).await;
    names_are_checked(&*store).await;
}

fn nginx(folder: &Path, locations: &str) -> Running {
    Running::start("nginx", folder, |port| {
        let at = folder.display();
        let config = format!(
            "daemon off; master_process off; pid {at}/pid; error_log {at}/error;\n\
             events {{}}\n\
             http {{ access_log off; client_body_temp_path {at}/t1; proxy_temp_path {at}/t2;\n\
             fastcgi_temp_path {at}/t3; uwsgi_temp_path {at}/t4; scgi_temp_path {at}/t5;\n\
             server {{ listen 127.0.0.1:{port}; root {at}/store;\n{locations}\n}} }}\n"
        );
        std::fs::write(folder.join("nginx.conf"), config).unwrap();
        vec!["-p".into(), at.to_string(), "-c".into(), "nginx.conf".into()]
    })
}

#[tokio::test]
async fn nginx_conforms_and_its_troubles_are_errors() {
    if !is_here("nginx") {
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    furnish(&temp.path().join("store"), WEB).await;
    let troubles = "location /busy/ { return 503; }\nlocation /often/ { return 429; }\n\
                    location /no/ { deny all; }\nlocation /drop/ { return 444; }\n\
                    location /page/ { default_type text/html; return 200 '<html>'; }";
    let server = nginx(temp.path(), troubles);
    let base = format!("http://127.0.0.1:{}", server.port);
    let whole = store(&base, &settings(&[]));
    reads(&*whole, WEB).await;
    names_are_checked(&*whole).await;
    for (place, told) in [
        ("busy", "the server answered 503"),
        ("often", "the server answered 429"),
        ("no", "the server answered 403"),
        ("drop", "the connection broke"),
        ("page", "a web page instead of the file"),
    ] {
        let store = store(&format!("{base}/{place}"), &settings(&[]));
        for fault in [store.find("t", "a").await.err(), store.open("t", "a").await.err()] {
            let fault = fault.unwrap_or_else(|| panic!("{place} passes for an answer"));
            assert!(fault.to_string().contains(told) && fault.hint.is_some(), "{fault}");
        }
    }
}
