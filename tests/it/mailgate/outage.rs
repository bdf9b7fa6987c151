//! What Dovecot does while Enlist does not answer.

use super::stage::{ADA, Stage, account};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_reads_mail_while_the_server_does_not_answer() {
    let stage = Stage::start(&[]).await;
    let phone = stage.phone().await;
    let account = account(&phone);
    let mut session = stage.dovecot.sign_in(&account.user_name, &account.password).await.unwrap();
    stage.server.kill();
    for password in [account.password.as_str(), "Ada's own password"] {
        let refusal = stage.dovecot.sign_in(ADA, password).await.err().unwrap();
        assert!(refusal.starts_with("a NO"), "{refusal}");
    }
    assert!(session.is_alive(), "what is open stays open");
    let _server = stage.installation.start().await;
    assert!(stage.dovecot.sign_in(&account.user_name, &account.password).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_an_administrator_chose_so_only_passwords_of_devices_are_let_in_without_an_answer() {
    let open = ("auth_policy_reject_on_fail = yes", "auth_policy_reject_on_fail = no");
    let stage = Stage::start(&[open]).await;
    let phone = stage.phone().await;
    let account = account(&phone);
    stage.server.kill();
    assert!(stage.dovecot.sign_in(&account.user_name, &account.password).await.is_ok());
    let (digits, seal) = account.password.split_at(32);
    let forged = [
        (ADA, "Ada's own password".to_owned()),
        (ADA, String::new()),
        (ADA, seal.to_owned()),
        (ADA, format!("{digits}{}", "0".repeat(64))),
        ("eve@example.org", account.password.clone()),
    ];
    for (user, password) in forged {
        let refusal = stage.dovecot.sign_in(user, &password).await.err().unwrap();
        assert!(refusal.starts_with("a NO"), "{user}: {refusal}");
    }
}
