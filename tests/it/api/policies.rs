//! Policies: their ranges, and how they come to the devices.

use serde_json::{Value, json};

use crate::harness::{
    actors::{IPhone, id, passcode_policy, text},
    app::TestApp,
    database::Database,
    every_backend,
};

every_backend!(
    every_range_is_kept,
    a_changed_policy_is_rolled_out_and_the_device_has_time_to_take_it_over,
    a_policy_that_loses_its_last_group_does_not_turn_on_everyone,
    of_several_policies_the_strictest_value_of_each_setting_holds,
    a_device_that_is_silent_for_too_long_breaks_the_policy,
);

async fn every_range_is_kept(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let ranges = [
        ("passcode.min_length", 0, 16),
        ("passcode.min_complex_characters", 0, 4),
        ("passcode.max_failed_attempts", 2, 11),
        ("passcode.max_inactivity_minutes", 0, 15),
        ("passcode.max_age_days", 0, 730),
        ("passcode.history", 0, 50),
        ("max_silence_days", 1, 120),
        ("grace_days", 0, 365),
        ("ladder.remind_every_days", 0, 30),
        ("ladder.retire_after_days", 1, 365),
    ];
    let policy = |field: &str, value: Value| match field.split_once('.') {
        Some((outer, inner)) => json!({ "name": format!("{field} {value}"), outer: { inner: value } }),
        None => json!({ "name": format!("{field} {value}"), field: value }),
    };
    for (field, least, most) in ranges {
        for value in [least, most] {
            let saved = admin.post("/policies", &policy(field, json!(value))).await.expect(201);
            let path = format!("/{}", field.replace('.', "/"));
            assert_eq!(saved.pointer(&path), Some(&json!(value)), "{saved}");
        }
        for value in [least - 1, most + 1, -1, 70_000] {
            let refused = admin.post("/policies", &policy(field, json!(value))).await.expect(400);
            let names_it = refused["field"] == field || text(&refused, "detail").contains(&value.to_string());
            assert!(names_it, "{field} {value}: {refused}");
        }
    }
    for version in ["", "seventeen", "17.", "1.2.3.4.5.6.7"] {
        let refused = admin.post("/policies", &json!({ "name": "v", "min_os": { "ios": version } })).await.expect(400);
        assert_eq!(refused["field"], "min_os.ios", "{version}");
    }
    for name in ["", " ", "a\nb"] {
        assert_eq!(admin.post("/policies", &json!({ "name": name })).await.expect(400)["field"], "name");
    }
    assert_eq!(admin.post("/policies", &policy("grace_days", json!(0))).await.status, 409, "the name is taken");
    assert_eq!(admin.post("/policies", &json!({ "name": "e", "enforcement": "shout" })).await.status, 400);
    app.work().await;
}

async fn a_changed_policy_is_rolled_out_and_the_device_has_time_to_take_it_over(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let policy = admin.create_policy(&passcode_policy("all")).await;
    let user = admin.create_user("ada@example.com").await;
    let mut phone = IPhone::enroll(&app, &user, "company", 0).await;
    phone.obey_all().await;
    app.work().await;
    let device = id(&phone.seen_by(&admin).await);
    assert_eq!(admin.device(&device).await["compliance"], "compliant");

    let stricter = json!({ "name": "all", "passcode": { "required": true, "min_length": 8, "allow_simple": false } });
    let changed = admin.put(&format!("/policies/{policy}"), &stricter).await.expect(200);
    assert_eq!((&changed["passcode"]["min_length"], &changed["everyone"]), (&json!(8), &json!(true)));
    assert_eq!(app.jobs("rollout").len(), 1);
    app.work().await;
    let shown = admin.device(&device).await;
    assert_eq!((&shown["compliance"], &shown["access"]), (&json!("in_grace"), &json!("allow")));
    assert_eq!(shown["reasons"][0]["code"], "policy_outdated");
    assert!(shown["grace_until"].is_string());
    assert_eq!(phone.obey_all().await.first().map(String::as_str), Some("InstallProfile"));
    assert_eq!(admin.device(&device).await["compliance"], "compliant");

    // A change that makes no difference to the passcode asks nothing of the device.
    admin.put(&format!("/policies/{policy}"), &json!({ "name": "renamed", "passcode": stricter["passcode"] })).await.expect(200);
    app.work().await;
    assert!(phone.obey_all().await.is_empty());

    // A device that never takes it over becomes unknown, and a policy that goes takes its profile along.
    admin.put(&format!("/policies/{policy}"), &passcode_policy("renamed")).await.expect(200);
    app.work().await;
    app.clock.advance_seconds(72 * 3600 + 1);
    app.sweep().await;
    let shown = admin.device(&device).await;
    assert_eq!((&shown["compliance"], &shown["access"]), (&json!("unknown"), &json!("quarantine")));
    assert_eq!(admin.delete(&format!("/policies/{policy}")).await.status, 204);
    app.work().await;
    assert_eq!(admin.device(&device).await["compliance"], "compliant");
    let obeyed = phone.obey_all().await;
    assert!(obeyed.contains(&"RemoveProfile".to_owned()) && !obeyed.contains(&"InstallProfile".to_owned()), "{obeyed:?}");
    assert_eq!(phone.device().profiles().len(), 1);
}

async fn a_policy_that_loses_its_last_group_does_not_turn_on_everyone(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let group = admin.create_group("Sales").await;
    let mut policy = passcode_policy("sales");
    policy["groups"] = json!([group]);
    let saved = admin.post("/policies", &policy).await.expect(201);
    assert_eq!((&saved["everyone"], &saved["groups"]), (&json!(false), &json!([group])));
    let user = admin.create_user("ada@example.com").await;
    let mut phone = IPhone::enroll(&app, &user, "company", 0).await;
    phone.obey_all().await;
    policy["groups"] = json!([]);
    let saved = admin.put(&format!("/policies/{}", id(&saved)), &policy).await.expect(200);
    assert_eq!((&saved["everyone"], &saved["groups"]), (&json!(false), &json!([])));
    app.work().await;
    assert!(phone.obey_all().await.is_empty());
    // The same where the group itself is removed.
    policy["groups"] = json!([group]);
    admin.put(&format!("/policies/{}", id(&saved)), &policy).await.expect(200);
    assert_eq!(admin.delete(&format!("/groups/{group}")).await.status, 204);
    app.work().await;
    assert!(phone.obey_all().await.is_empty());
    assert_eq!(admin.get(&format!("/policies/{}", id(&saved))).await.expect(200)["everyone"], false);
    // Whoever wants everyone says so.
    policy["groups"] = json!([]);
    policy["everyone"] = json!(true);
    admin.put(&format!("/policies/{}", id(&saved)), &policy).await.expect(200);
    app.work().await;
    assert!(phone.obey_all().await.contains(&"InstallProfile".to_owned()));
}

async fn of_several_policies_the_strictest_value_of_each_setting_holds(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    admin.create_policy(&json!({ "name": "a", "passcode": { "required": true, "min_length": 8 } })).await;
    admin.create_policy(&json!({ "name": "b", "passcode": { "min_length": 4, "allow_simple": false, "max_failed_attempts": 6 } })).await;
    admin.create_policy(&json!({ "name": "c", "min_os": { "ios": "99.0" }, "grace_days": 3 })).await;
    app.work().await;
    let user = admin.create_user("ada@example.com").await;
    let mut phone = IPhone::enroll(&app, &user, "company", 0).await;
    let command = phone.ask().await.unwrap();
    let bytes = command.body["Payload"].as_data().unwrap();
    let text_of = |word: &str| bytes.windows(word.len()).any(|window| window == word.as_bytes());
    for word in ["<key>minLength</key>", "<integer>8</integer>", "<key>maxFailedAttempts</key>", "<integer>6</integer>"] {
        assert!(text_of(word), "{word}");
    }
    phone.obey_all().await;
    let shown = phone.seen_by(&admin).await;
    assert_eq!(shown["compliance"], "noncompliant", "no grace beats three days of it: {shown}");
    assert_eq!(shown["reasons"][0]["code"], "os_outdated");
    app.work().await;
}

async fn a_device_that_is_silent_for_too_long_breaks_the_policy(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    admin.create_policy(&json!({ "name": "all", "max_silence_days": 2, "grace_days": 1 })).await;
    app.work().await;
    let user = admin.create_user("ada@example.com").await;
    let mut phone = IPhone::enroll(&app, &user, "company", 0).await;
    phone.obey_all().await;
    app.sweep().await;
    let device = id(&phone.seen_by(&admin).await);
    for (days, compliance, access) in [(1, "compliant", "allow"), (1, "in_grace", "allow"), (1, "noncompliant", "block")] {
        app.clock.advance_days(days);
        app.sweep().await;
        let shown = admin.device(&device).await;
        assert_eq!((text(&shown, "compliance"), text(&shown, "access")), (compliance.to_owned(), access.to_owned()));
    }
    assert_eq!(admin.device(&device).await["reasons"][0]["code"], "silent");
    phone.obey_all().await;
    assert_eq!(admin.device(&device).await["access"], "allow", "it has spoken");
}
