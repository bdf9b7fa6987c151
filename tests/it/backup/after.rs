//! After a restore: what was under way is held or withdrawn, and whoever was there before goes on.

use std::fs;

use serde_json::{Value, json};

use super::{PASSPHRASE, back_up, empty_like, restore, said};
use crate::harness::{
    actors::{Admin, id, text},
    database::Database,
    every_backend,
    process::Installation,
};

every_backend!(nothing_that_was_under_way_is_done_again_unasked);

/// A phone that has enrolled and answered everything, with its device as the API shows it.
async fn enrolled(installation: &Installation, name: &str) -> (enlist::simulator::Phone, Value) {
    let user = installation.api().create_user(&format!("{name}@example.org")).await;
    let body = json!({ "platform": "ios", "ownership": "company" });
    let profile = installation.api().post(&format!("users/{user}/enrollment-profile"), &body).await.unwrap();
    let options = enlist::simulator::PhoneOptions { anchors: vec![installation.api().authority().await.unwrap()], ..Default::default() };
    let mut phone = enlist::simulator::Phone::new(&profile, enlist::simulator::model::Model::numbered(name, 1), options).unwrap();
    phone.enroll().await.unwrap();
    phone.poll().await.unwrap();
    let device = installation.admin().device_of(&phone.device().model().serial).await;
    (phone, device)
}

/// The commands of a device that are in this state.
async fn commands_in(admin: &Admin, device: &Value, state: &str) -> Vec<Value> {
    let page = admin.get(&format!("/devices/{}/commands?limit=200", text(device, "id"))).await.expect(200);
    page["items"].as_array().unwrap().iter().filter(|command| command["state"] == state).cloned().collect()
}

async fn decide(admin: &Admin, device: &Value, command: &Value, what: &str) -> crate::harness::actors::Reply {
    let path = format!("/devices/{}/commands/{}/{what}", text(device, "id"), id(command));
    admin.send(admin.request(reqwest::Method::POST, &path)).await
}

async fn nothing_that_was_under_way_is_done_again_unasked(database: Database) {
    let source = Installation::new(database);
    let server = source.start().await;
    let admin = source.admin();
    let (mut wiped, wiped_device) = enrolled(&source, "wiped").await;
    let (mut cleared, cleared_device) = enrolled(&source, "cleared").await;
    let (mut retired, retired_device) = enrolled(&source, "retired").await;
    let (mut locked, locked_device) = enrolled(&source, "locked").await;
    // The way out for mail is blocked, so that one waits in the backup.
    while admin.get("/mails?state=queued").await.expect(200)["total"] != 0 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    fs::remove_dir_all(source.folder().join("outbox")).unwrap();
    fs::write(source.folder().join("outbox"), "not a folder").unwrap();
    let user = source.api().create_user("invited@example.org").await;
    admin.invite(&user, "company").await;
    admin.wipe(&wiped_device, "full").await.expect(202);
    admin.wipe(&cleared_device, "selective").await.expect(202);
    admin.order(&text(&retired_device, "id"), "retire").await;
    admin.order(&text(&locked_device, "id"), "lock").await;
    let file = back_up(&source, "backup");
    // Two of them are carried out after the backup, which it cannot know.
    assert!(!wiped.poll().await.unwrap().steps.is_empty());
    assert_eq!(locked.poll().await.unwrap().steps.len(), 1);
    server.kill();

    let target = source.successor(empty_like(source.database()));
    let output = restore(&target, &file, PASSPHRASE);
    assert!(output.status.success(), "{}", said(&output));
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains("3 device(s) have a wipe or a retirement that is held"), "{printed}");
    assert!(printed.contains("1 order(s) and 1 mail(s) that waited were withdrawn"), "{printed}");
    let _server = target.start().await;
    let admin = target.admin();

    for (device, state, expected) in [
        (&wiped_device, "wipe_pending", "full_wipe"),
        (&cleared_device, "wipe_pending", "selective_wipe_end"),
        (&retired_device, "retired", "retire"),
    ] {
        let held = commands_in(&admin, device, "awaiting_approval").await;
        assert!(held.iter().any(|command| command["purpose"] == expected), "{held:?}");
        assert!(held.iter().all(|command| text(command, "error").contains("approve or cancel it")), "{held:?}");
        let now = admin.device(&text(device, "id")).await;
        assert_eq!((text(&now, "enrollment"), text(&now, "access")), (state.to_owned(), "block".to_owned()));
        assert_eq!(admin.timeline(&text(device, "id")).await.last().unwrap(), "held_after_restore");
    }
    let withdrawn = commands_in(&admin, &locked_device, "cancelled").await;
    assert!(withdrawn.iter().any(|command| command["kind"] == "lock" && text(command, "error").contains("restored")), "{withdrawn:?}");

    // The phone that was not touched comes in without enrolling again; those with something held are given nothing.
    locked.poll().await.unwrap();
    assert!(cleared.poll().await.unwrap().steps.is_empty());
    assert!(retired.poll().await.unwrap().steps.is_empty());

    let held = commands_in(&admin, &cleared_device, "awaiting_approval").await;
    assert_eq!(decide(&admin, &cleared_device, &held[0], "approve").await.expect(202)["command"]["state"], "queued");
    assert!(commands_in(&admin, &cleared_device, "awaiting_approval").await.is_empty(), "all steps are decided at once");
    assert_eq!(decide(&admin, &cleared_device, &held[0], "approve").await.status, 409);
    assert!(!cleared.poll().await.unwrap().steps.is_empty());
    assert_eq!(text(&admin.device(&text(&cleared_device, "id")).await, "enrollment"), "wiped");
    assert_eq!(decide(&admin, &cleared_device, &held[0], "cancel").await.status, 409, "it was given to the device");

    let held = commands_in(&admin, &wiped_device, "awaiting_approval").await;
    assert_eq!(decide(&admin, &wiped_device, &held[0], "cancel").await.expect(202)["command"]["state"], "cancelled");
    let again = decide(&admin, &wiped_device, &held[0], "approve").await.expect(409);
    assert!(text(&again, "detail").contains("cancelled"), "{again}");
    // A cancelled one can be ordered anew.
    admin.wipe(&wiped_device, "full").await.expect(202);

    // Of a hundred who decide at the same time one cancels, and one may have approved before: the device was not given it yet.
    let held = commands_in(&admin, &retired_device, "awaiting_approval").await;
    let decisions = (0..100).map(|n| decide(&admin, &retired_device, &held[0], if n % 2 == 0 { "approve" } else { "cancel" }));
    let replies = futures_util::future::join_all(decisions).await;
    let made = |parity: usize| replies.iter().enumerate().filter(|(n, reply)| n % 2 == parity && reply.status == 202).count();
    let (approved, cancelled) = (made(0), made(1));
    assert!(approved <= 1 && cancelled == 1, "{approved} approved and {cancelled} cancelled");
    assert_eq!(replies.iter().filter(|reply| reply.status == 409).count(), 100 - approved - cancelled);

    let listed = admin.get("/mails?q=invited@&state=sent").await.expect(200);
    assert_eq!(listed["total"], 0, "an old mail was sent");
    let audited = admin.audited().await;
    for action in ["server.restore", "device.approve", "device.cancel"] {
        assert!(audited.iter().any(|line| line == action), "{action}: {audited:?}");
    }
    let verification = admin.get("/audit/verification").await.expect(200);
    assert_eq!(verification["is_intact"], true);
}
