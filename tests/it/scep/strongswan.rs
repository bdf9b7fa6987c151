//! strongSwan's `pki` as SCEP client.

use super::{Bench, run, words};

const RECIPIENTS: &str = "--cacert-enc ra.pem --cacert-sig ra.pem --cacert sca.pem --outform pem";

/// Asks for a certificate and gives what `pki` printed on either stream.
fn ask(bench: &Bench, how: &str) -> (bool, Vec<u8>, String) {
    let url = bench.url();
    let call = format!("--scep --url {url} {how} {RECIPIENTS}");
    let output = run(bench.folder.path(), "pki", &words(&call));
    (output.status.success(), output.stdout, String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strongswan_enrolls_and_renews_and_is_refused_a_spent_challenge() {
    let bench = Bench::new().await;
    let url = bench.url();
    bench.run("pki", &words(&format!("--scepca --url {url} --caout sca.pem --raout ra.pem --outform pem --force")));
    for key in ["key", "new", "third"] {
        let made = bench.run("pki", &words("--gen --type rsa --size 2048 --outform pem"));
        bench.write(key, &made);
    }
    let challenge = bench.challenge().await;
    let (granted, certificate, said) = ask(&bench, &format!("--in key --dn CN=phone --password {challenge}"));
    assert!(granted, "{said}");
    bench.write("first.pem", &certificate);
    let first = bench.describe("first.pem");
    assert!(first.contains("CN = Device CA") && first.contains("O = Acme") && !first.contains("phone"), "{first}");

    let (granted, _, said) = ask(&bench, &format!("--in third --dn CN=phone --password {challenge}"));
    assert!(!granted && said.contains("badRequest"), "a spent challenge was accepted: {said}");

    let (granted, certificate, said) = ask(&bench, "--in new --dn CN=phone --cert first.pem --key key");
    assert!(granted, "{said}");
    bench.write("second.pem", &certificate);
    let second = bench.describe("second.pem");
    assert_eq!(first.lines().next(), second.lines().next(), "the subject stays");
    assert_ne!(first, second, "the serial number does not");
    bench.run("openssl", &words("verify -CAfile ca.pem -purpose sslclient first.pem second.pem"));
}
