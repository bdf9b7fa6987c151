//! Whether the totals of the compliance report are what one finds by counting its rows.

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::seed::Filled;

/// Compares the totals of the report with its rows, without a filter and with each.
///
/// # Errors
/// Where they differ, and those of the connection.
pub async fn check(port: u16, token: &str, filled: &Filled) -> anyhow::Result<()> {
    let report = format!("http://127.0.0.1:{port}/api/v1/reports/compliance");
    let client = reqwest::Client::builder().no_proxy().build()?;
    let filters = [
        String::new(),
        "os=ios".into(),
        "os=ipados&status=noncompliant".into(),
        "status=retired".into(),
        "ownership=personal".into(),
        format!("group={}", filled.group),
        format!("policy={}", filled.policy),
        "reason=passcode_too_weak".into(),
        "unseen_days=14".into(),
    ];
    for filter in filters {
        let ask = |format: &str| client.get(format!("{report}?{filter}&format={format}")).bearer_auth(token).send();
        let found: Value = ask("json").await?.json().await?;
        let rows = ask("csv").await?.text().await?;
        let rows: Vec<Vec<&str>> = rows.lines().skip(1).map(|row| row.split(',').collect()).collect();
        let all = i64::try_from(rows.len())?;
        let number = |at: &str| found.pointer(at).and_then(Value::as_i64).with_context(|| format!("{filter}: no {at} in {found}"));
        ensure!(number("/totals/devices")? == all && number("/total")? == all, "{filter}: {found} has other totals than {all} rows");
        let by_status = found.pointer("/totals/by_status").and_then(Value::as_object).context("no statuses")?;
        for (status, told) in by_status {
            let is_meant = |row: &Vec<&str>| [STATE, VERDICT].iter().any(|at| row.get(*at) == Some(&status.as_str()));
            let counted = i64::try_from(rows.iter().filter(|row| is_meant(row)).count())?;
            ensure!(told.as_i64() == Some(counted), "{filter}: {told} are not {counted} of {status}");
        }
        for (system, told) in found.pointer("/totals/by_os").and_then(Value::as_object).context("no systems")? {
            let counted = i64::try_from(rows.iter().filter(|row| row.get(PLATFORM) == Some(&system.as_str())).count())?;
            ensure!(told.as_i64() == Some(counted), "{filter}: {told} are not {counted} of {system}");
        }
    }
    println!("{:<40} by every filter", "totals agree with a recount of the rows");
    Ok(())
}

/// The columns of the platform, the state of enrollment, and the verdict.
const PLATFORM: usize = 2;
const STATE: usize = 7;
const VERDICT: usize = 8;
