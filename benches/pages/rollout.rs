//! How long it takes until a changed policy has come to every device, and how long a preview of the change takes.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

/// Longest wait for a rollout.
const PATIENCE: Duration = Duration::from_secs(600);

/// Seconds for the preview of a policy that reaches everyone, and seconds until the rollout of it was finished.
pub async fn measure(port: u16, token: &str) -> anyhow::Result<(f64, f64)> {
    let api = format!("http://127.0.0.1:{port}/api/v1");
    let client = reqwest::Client::builder().no_proxy().build()?;
    let policy = json!({ "name": "Everybody's", "min_os": { "ios": "99" }, "grace_days": 3, "ladder": { "notify_user": false } });
    let began = Instant::now();
    let answer = client.post(format!("{api}/policies/preview")).bearer_auth(token).json(&policy).send().await?;
    ensure!(answer.status() == 200, "the preview: {}", answer.status());
    let found: Value = answer.json().await?;
    let preview = began.elapsed().as_secs_f64();
    println!(
        "{:<40} {preview:>6.1} s, {} of {} devices change",
        "preview of a policy for everyone",
        number(&found, "verdicts_changed"),
        number(&found, "devices_affected")
    );
    let began = Instant::now();
    let answer = client.post(format!("{api}/policies")).bearer_auth(token).json(&policy).send().await?;
    ensure!(answer.status() == 201, "the policy: {}", answer.status());
    while began.elapsed() < PATIENCE {
        let rollouts: Value = client.get(format!("{api}/rollouts")).bearer_auth(token).send().await?.json().await?;
        let last = rollouts.get(0).context("there is no rollout")?;
        if last.get("finished_at").is_some_and(Value::is_string) {
            let seconds = began.elapsed().as_secs_f64();
            println!("{:<40} {seconds:>6.1} s, {} of {} devices changed", "rollout of it", number(last, "changed"), number(last, "done"));
            return Ok((preview, seconds));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("the rollout did not end")
}

fn number(of: &Value, key: &str) -> i64 {
    of.get(key).and_then(Value::as_i64).unwrap_or_default()
}
