//! What an organization decides about access, from the API to the gate: settings, groups, rules, exceptions, and the ways back in.

use enlist::simulator::Passcode;
use serde_json::{Value, json};

use super::{Held, becomes, policy_for, server, set_rules, verdict};
use crate::harness::{actors::text, app::TestApp, database::Database, every_backend};

every_backend!(
    the_three_ways_to_unblock_hold_at_once,
    an_excluded_group_lets_in_whoever_is_not_gone,
    the_settings_decide_about_each_kind_of_device,
    rules_for_kinds_of_devices_decide_in_their_order,
    an_exception_holds_until_its_end,
    whatever_is_set_a_wipe_keeps_a_device_out,
    a_disabled_user_stays_out_and_comes_back,
    rules_that_are_not_usable_are_refused_by_name,
    an_explanation_names_the_questions_in_their_order,
);

/// A phone that breaks the policy of a group, which the gate keeps out.
async fn blocked(app: &TestApp) -> (Held, String, String) {
    let admin = app.admin();
    let group = admin.create_group("Sales").await;
    let policy = admin.create_policy(&policy_for(&group)).await;
    let mut held = Held::enroll(app, "ada@example.com", 0).await;
    admin.put(&format!("/groups/{group}/members/{}", held.user), &json!({})).await.expect(204);
    held.choose(app, Passcode::Weak).await;
    app.work().await;
    assert_eq!(verdict(app, &held.phone).await, (403, "block".into(), "noncompliant".into()));
    (held, group, policy)
}

async fn the_three_ways_to_unblock_hold_at_once(db: Database) {
    let app = server(db).await;
    let admin = app.admin();
    let (held, group, policy) = blocked(&app).await;
    let member = format!("/groups/{group}/members/{}", held.user);

    // 1: the user leaves the group.
    admin.delete(&member).await.expect(204);
    becomes(&app, &held.phone, 200, "").await;
    admin.put(&member, &json!({})).await.expect(204);
    becomes(&app, &held.phone, 403, "noncompliant").await;

    // 2: the policy no longer reaches the group. The gate does not wait until the job has come to the device.
    let mut changed = policy_for(&group);
    changed["groups"] = json!([]);
    admin.put(&format!("/policies/{policy}"), &changed).await.expect(200);
    becomes(&app, &held.phone, 200, "").await;
    app.work().await;
    assert_eq!(admin.device(&held.device).await["access"], "allow");
    admin.put(&format!("/policies/{policy}"), &policy_for(&group)).await.expect(200);
    app.work().await;
    becomes(&app, &held.phone, 403, "noncompliant").await;

    // 3: the policy only reports. The device stays what it is.
    let mut changed = policy_for(&group);
    changed["enforcement"] = json!("allow_and_report");
    admin.put(&format!("/policies/{policy}"), &changed).await.expect(200);
    becomes(&app, &held.phone, 200, "").await;
    app.work().await;
    let shown = admin.device(&held.device).await;
    assert_eq!((&shown["compliance"], &shown["access"]), (&json!("noncompliant"), &json!("allow")));
}

async fn an_excluded_group_lets_in_whoever_is_not_gone(db: Database) {
    let app = server(db).await;
    let admin = app.admin();
    let (held, _, _) = blocked(&app).await;
    let board = admin.create_group("Board").await;
    let member = format!("/groups/{board}/members/{}", held.user);
    admin.put(&member, &json!({})).await.expect(204);
    assert_eq!(verdict(&app, &held.phone).await.0, 403);
    set_rules(&admin, &json!({ "excluded_groups": [board] })).await;
    becomes(&app, &held.phone, 200, "").await;
    app.work().await;
    assert_eq!(admin.device(&held.device).await["access"], "allow");

    admin.delete(&member).await.expect(204);
    becomes(&app, &held.phone, 403, "noncompliant").await;
    admin.put(&member, &json!({})).await.expect(204);
    becomes(&app, &held.phone, 200, "").await;
    // With the group goes the exclusion.
    admin.delete(&format!("/groups/{board}")).await.expect(204);
    becomes(&app, &held.phone, 403, "noncompliant").await;
    assert_eq!(admin.get("/access-rules").await.expect(200)["excluded_groups"], json!([]));
    app.work().await;
    assert_eq!(admin.device(&held.device).await["access"], "block");
}

async fn the_settings_decide_about_each_kind_of_device(db: Database) {
    let app = server(db).await;
    let admin = app.admin();
    let (held, _, _) = blocked(&app).await;
    set_rules(&admin, &json!({ "noncompliant_devices": "quarantine" })).await;
    assert_eq!(verdict(&app, &held.phone).await, (403, "quarantine".into(), "noncompliant".into()));
    app.work().await;
    assert_eq!(admin.device(&held.device).await["access"], "quarantine");

    // Whoever shows nothing is not enrolled.
    for (setting, status) in [("block", 401), ("quarantine", 401), ("allow", 200)] {
        set_rules(&admin, &json!({ "unenrolled_devices": setting })).await;
        let reply = super::ask(&app, "", &[]).await;
        assert_eq!(reply.status, status, "{setting}");
        let (name, value) = if status == 200 { ("x-enlist-assurance", "none") } else { ("x-enlist-decision", setting) };
        assert_eq!(reply.header(name), value);
        assert_eq!(reply.headers.contains_key("x-enlist-user"), status == 200, "a proxy that copies it must find it");
    }
    app.work().await;
    assert_eq!(admin.audited().await.iter().filter(|action| *action == "access_rules.change").count(), 4);
}

async fn rules_for_kinds_of_devices_decide_in_their_order(db: Database) {
    let app = server(db).await;
    let admin = app.admin();
    let held = Held::enroll(&app, "ada@example.com", 0).await;
    let platform = admin.device(&held.device).await["platform"].clone();
    let rule = |matches: Value, decision: &str| json!({ "match": matches, "decision": decision, "note": "why" });
    set_rules(
        &admin,
        &json!({ "rules": [rule(json!({ "model": "Pixel*" }), "allow"), rule(json!({ "platform": platform }), "quarantine")] }),
    )
    .await;
    assert_eq!(verdict(&app, &held.phone).await, (403, "quarantine".into(), "device_rule".into()));
    app.work().await;
    assert_eq!(admin.device(&held.device).await["access"], "quarantine");
    // What the program calls itself is known at the gate only.
    set_rules(&admin, &json!({ "rules": [rule(json!({ "user_agent": "*OldMail/1*" }), "block")] })).await;
    let certificate = super::written(&held.phone.identity().unwrap().certificate);
    let with = |program: &'static str| {
        let (app, certificate) = (&app, certificate.clone());
        async move { super::ask(app, "", &[("client-cert", &certificate), ("user-agent", program)]).await.status }
    };
    assert_eq!((with("OldMail/1.2 iOS").await, with("OldMail/2.0 iOS").await), (403, 200));
    app.work().await;
    assert_eq!(admin.device(&held.device).await["access"], "allow");
}

async fn an_exception_holds_until_its_end(db: Database) {
    let app = server(db).await;
    let admin = app.admin();
    let (held, _, _) = blocked(&app).await;
    let path = format!("/devices/{}/exception", held.device);
    admin.get(&path).await.expect(404);
    let until = app.clock_now().plus_seconds(3600);
    let body = json!({ "decision": "allow", "until": until, "note": "travels" });
    let set = admin.put(&path, &body).await.expect(200);
    assert_eq!((text(&set, "decision"), text(&set, "note"), text(&set, "until")), ("allow".into(), "travels".into(), until.to_string()));
    becomes(&app, &held.phone, 200, "").await;
    assert_eq!(admin.device(&held.device).await["access"], "allow");

    admin.put(&path, &json!({ "decision": "quarantine", "until": until })).await.expect(200);
    becomes(&app, &held.phone, 403, "exception").await;
    admin.delete(&path).await.expect(204);
    becomes(&app, &held.phone, 403, "noncompliant").await;
    admin.delete(&path).await.expect(404);

    admin.put(&path, &body).await.expect(200);
    becomes(&app, &held.phone, 200, "").await;
    // At the gate it ends by the clock alone; the list follows when time is looked after.
    app.clock.advance_seconds(3601);
    becomes(&app, &held.phone, 403, "noncompliant").await;
    app.sweep().await;
    assert_eq!(admin.device(&held.device).await["access"], "block");
    for wrong in [app.clock_now(), app.clock_now().plus_days(400)] {
        let problem = admin.put(&path, &json!({ "decision": "allow", "until": wrong })).await.expect(400);
        assert!(text(&problem, "detail").contains("until"), "{problem}");
    }
    admin.put(&path, &json!({ "decision": "allow" })).await.expect(400);
    let nobody = format!("/devices/{}/exception", uuid::Uuid::now_v7());
    admin.put(&nobody, &json!({ "decision": "allow", "until": app.clock_now().plus_days(1) })).await.expect(404);
    let audited = admin.audited().await;
    let count = |action: &str| audited.iter().filter(|found| *found == action).count();
    assert_eq!((count("device.set_exception"), count("device.end_exception")), (3, 1));
}

async fn whatever_is_set_a_wipe_keeps_a_device_out(db: Database) {
    let app = server(db).await;
    let admin = app.admin();
    let held = Held::enroll(&app, "ada@example.com", 0).await;
    let board = admin.create_group("Board").await;
    admin.put(&format!("/groups/{board}/members/{}", held.user), &json!({})).await.expect(204);
    let everything = json!({ "match": { "model": "*" }, "decision": "allow" });
    let open = json!({ "excluded_groups": [board], "rules": [everything], "unenrolled_devices": "allow", "unknown_compliance": "allow" });
    set_rules(&admin, &open).await;
    let until = app.clock_now().plus_days(1);
    admin.put(&format!("/devices/{}/exception", held.device), &json!({ "decision": "allow", "until": until })).await.expect(200);
    becomes(&app, &held.phone, 200, "").await;
    admin.wipe(&admin.device(&held.device).await, "selective").await.expect(202);
    becomes(&app, &held.phone, 403, "device_gone").await;
    app.work().await;
    assert_eq!(admin.device(&held.device).await["access"], "block");
    assert_eq!(verdict(&app, &held.phone).await, (403, "block".into(), "device_gone".into()));
}

async fn a_disabled_user_stays_out_and_comes_back(db: Database) {
    let app = server(db).await;
    let admin = app.admin();
    let held = Held::enroll(&app, "ada@example.com", 0).await;
    assert_eq!(verdict(&app, &held.phone).await.0, 200);
    let user = format!("/users/{}", held.user);
    admin.patch(&user, &json!({ "state": "disabled" })).await.expect(200);
    becomes(&app, &held.phone, 403, "user_disabled").await;
    admin.patch(&user, &json!({ "state": "active", "email": "lovelace@example.com" })).await.expect(200);
    becomes(&app, &held.phone, 200, "").await;
    let reply = super::ask(&app, "", &[("client-cert", &super::written(&held.phone.identity().unwrap().certificate))]).await;
    assert_eq!(reply.header("x-enlist-user"), "lovelace@example.com");
}

async fn rules_that_are_not_usable_are_refused_by_name(db: Database) {
    let app = server(db).await;
    let admin = app.admin();
    let before = admin.get("/access-rules").await.expect(200);
    let block = |matches: Value| json!({ "rules": [{ "match": matches, "decision": "block" }] });
    for (body, field) in [
        (json!({ "noncompliant_devices": "allow" }), "noncompliant_devices"),
        (json!({ "excluded_groups": [uuid::Uuid::now_v7()] }), "excluded_groups"),
        (block(json!({})), "rules[0].match"),
        (block(json!({ "os_version": "new" })), "rules[0].match.os_version"),
        (block(json!({ "colour": "red" })), "colour"),
        (block(json!({ "platform": "nokia" })), "nokia"),
        (json!({ "gate_outage": "open" }), "open"),
    ] {
        let problem = admin.put("/access-rules", &body).await.expect(400);
        assert!(problem.to_string().contains(field), "{body}: {problem}");
    }
    assert_eq!(admin.get("/access-rules").await.expect(200), before);
    assert_eq!((&before["unenrolled_devices"], &before["gate_outage"]), (&json!("quarantine"), &json!("fail_closed")));
}

async fn an_explanation_names_the_questions_in_their_order(db: Database) {
    let app = server(db).await;
    let admin = app.admin();
    let (held, _, _) = blocked(&app).await;
    let explain = |query: String| {
        let admin = &admin;
        async move { admin.get(&format!("/access-rules/explain?{query}")).await.expect(200) }
    };
    let rules = |explanation: &Value| -> Vec<String> {
        explanation["because"].as_array().unwrap().iter().map(|because| text(because, "rule")).collect()
    };
    let shown = explain(format!("device={}&user={}", held.device, held.user)).await;
    assert_eq!(shown["decision"], "block");
    let order = [
        "user_disabled",
        "device_gone",
        "exception",
        "excluded_group",
        "device_rule",
        "unenrolled",
        "unsupported",
        "unknown_compliance",
        "reported_only",
        "noncompliant",
    ];
    assert_eq!(rules(&shown), order);
    let last = &shown["because"][9];
    assert_eq!((&last["decided"], &last["decision"]), (&json!(true), &json!("block")));
    assert!(text(last, "answer").contains("passcode"), "{last}");
    assert!(shown["because"].as_array().unwrap()[..9].iter().all(|because| because["decided"] == false));

    let shown = explain(format!("user={}", held.user)).await;
    assert_eq!((&shown["decision"], rules(&shown).last().unwrap().as_str()), (&json!("quarantine"), "unenrolled"));
    let board = admin.create_group("Board").await;
    admin.put(&format!("/groups/{board}/members/{}", held.user), &json!({})).await.expect(204);
    set_rules(&admin, &json!({ "excluded_groups": [board] })).await;
    let shown = explain(format!("user={}", held.user)).await;
    assert_eq!(shown["decision"], "allow");
    assert!(text(&shown["because"][3], "answer").contains("Board"));
    app.work().await;
    for (query, status) in [
        (String::new(), 400),
        ("device=nonsense".into(), 400),
        (format!("device={}", uuid::Uuid::now_v7()), 404),
        (format!("device={}&user={}", held.device, admin.create_user("bob@example.com").await), 400),
    ] {
        admin.get(&format!("/access-rules/explain?{query}")).await.expect(status);
    }
}
