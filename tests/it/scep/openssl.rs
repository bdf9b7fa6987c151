//! OpenSSL's command line as judge over revocation.

use serde_json::json;

use super::{Bench, run, words};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openssl_finds_a_revoked_certificate_revoked_and_another_good() {
    let bench = Bench::new().await;
    let user = bench.api.create_user("leaver@example.org").await;
    let mut leaver = bench.api.phone_of(&user, "leaver").await.unwrap();
    let mut stayer = bench.api.phone("stayer@example.org").await;
    for (phone, name) in [(&mut leaver, "leaver.pem"), (&mut stayer, "stayer.pem")] {
        phone.enroll().await.unwrap();
        bench.write(name, &phone.identity().unwrap().certificate.to_pem().unwrap());
    }
    // The list is not asked for yet: the same one is given out again for some seconds.
    assert!(ocsp(&bench, "leaver.pem"));
    bench.api.post(&format!("users/{user}/revoke-enrollments"), &json!({ "confirm": true })).await.unwrap();
    assert_eq!(judge(&bench, "leaver.pem").await, (false, false));
    assert_eq!(judge(&bench, "stayer.pem").await, (true, true));
}

/// Whether a certificate is good by OCSP.
fn ocsp(bench: &Bench, name: &str) -> bool {
    let url = bench.installation.base().join("pki/ocsp").unwrap();
    let call = format!("ocsp -issuer ca.pem -cert {name} -url {url} -CAfile ca.pem -no_nonce");
    let said = String::from_utf8(bench.run("openssl", &words(&call))).unwrap();
    let is_good = said.contains(": good");
    assert!(is_good || said.contains(": revoked"), "{said}");
    is_good
}

/// Whether a certificate is good: by OCSP, and by the revocation list.
async fn judge(bench: &Bench, name: &str) -> (bool, bool) {
    let list = bench.installation.base().join("pki/crl").unwrap();
    let list = reqwest::Client::builder().no_proxy().build().unwrap().get(list).send().await.unwrap().bytes().await.unwrap();
    bench.write("crl.der", &list);
    bench.run("openssl", &words("crl -inform DER -in crl.der -CAfile ca.pem -out crl.pem"));
    let output = run(bench.folder.path(), "openssl", &words(&format!("verify -CAfile ca.pem -crl_check -CRLfile crl.pem {name}")));
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() || said.contains("certificate revoked"), "{said}");
    (ocsp(bench, name), output.status.success())
}
