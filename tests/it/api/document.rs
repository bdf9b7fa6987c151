//! The description of the API: what programs rely on, and so nothing that changes unnoticed.

use crate::harness::{app::TestApp, database::Database};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_description_of_the_api_is_as_it_was_agreed() {
    let app = TestApp::start(Database::sqlite()).await;
    let answer = reqwest::get(format!("{}/api/openapi.json", app.address())).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/json");
    let document: serde_json::Value = answer.json().await.unwrap();
    let text = serde_json::to_string_pretty(&document).unwrap();
    insta::with_settings!({ snapshot_path => "../snapshots", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("openapi", text);
    });
    let docs = reqwest::get(format!("{}/api/docs", app.address())).await.unwrap();
    assert!(docs.text().await.unwrap().contains("/api/v1/devices/{id}/wipe"));
}
