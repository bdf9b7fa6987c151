//! certmonger as SCEP client, on a bus of its own.

use super::{Bench, run, words};

/// What certmonger is told on its bus. It is started by the first word that is said to it.
const SCRIPT: &str = r#"
set -u
getcert add-scep-ca -s -c enlist -u "$1" || exit 10
tries=0
until getcert list-cas -s -c enlist -v | grep -q 'SCEP RA\|helper-location'; do
    tries=$((tries + 1)); [ $tries -lt 50 ] || exit 11
    sleep 0.1
done
getcert request -s -I one -c enlist -k "$PWD/cm.key" -f "$PWD/cm.pem" -g 2048 -N CN=phone -L "$2" -w --wait-timeout=30 || exit 12
cp cm.pem first.pem
getcert rekey -s -i one -w --wait-timeout=30 || exit 13
cp cm.pem second.pem
getcert request -s -I two -c enlist -k "$PWD/third.key" -f "$PWD/third.pem" -g 2048 -N CN=other -L "$2" -w --wait-timeout=30
echo "the second use ended with $?"
exit 0
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certmonger_enrolls_and_renews_and_is_refused_a_spent_challenge() {
    let bench = Bench::new().await;
    let url = bench.url();
    let challenge = bench.challenge().await;
    // Where certmonger keeps what it knows: the bus starts it, so the bus must know.
    let folder = bench.folder.path().display();
    let mut call: Vec<String> = [("CONFIG", "home"), ("REQUESTS", "requests"), ("CAS", "cas"), ("LOCAL_CA", "local")]
        .map(|(name, place)| {
            std::fs::create_dir_all(bench.folder.path().join(place)).unwrap();
            format!("CERTMONGER_{name}_DIR={folder}/{place}")
        })
        .to_vec();
    call.push(format!("HOME={folder}/home"));
    call.push(format!("CERTMONGER_TMPDIR={folder}"));
    call.extend(["dbus-run-session", "--", "sh", "-c", SCRIPT, "sh", &url, &challenge].map(String::from));
    let output = run(bench.folder.path(), "env", &call.iter().map(String::as_str).collect::<Vec<_>>());
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");

    let (first, second) = (bench.describe("first.pem"), bench.describe("second.pem"));
    assert!(first.contains("CN = Device CA") && !first.contains("phone"), "{first}");
    assert_eq!(first.lines().next(), second.lines().next(), "the subject stays");
    assert_ne!(first, second, "the serial number does not");
    bench.run("openssl", &words("verify -CAfile ca.pem -purpose sslclient first.pem second.pem"));
    assert!(said.contains("the second use ended with") && !said.contains("the second use ended with 0"), "{said}");
    assert!(!bench.folder.path().join("third.pem").exists(), "a spent challenge was accepted");
}
