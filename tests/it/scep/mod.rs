//! The certificate authority, seen with the eyes of other people's software: strongSwan, certmonger, OpenSSL.

mod certmonger;
mod openssl;
mod strongswan;

use std::{
    path::Path,
    process::{Command, Output},
};

use enlist::simulator::profile::Profile;

use super::harness::{
    database::Database,
    folder::TempFolder,
    process::{Api, Installation, Server},
};

/// A server, and a folder for the files of a client.
struct Bench {
    installation: Installation,
    _server: Server,
    api: Api,
    folder: TempFolder,
}

impl Bench {
    /// A server with the certificate of its CA in `ca.pem`.
    async fn new() -> Self {
        let installation = Installation::new(Database::sqlite());
        let server = installation.start().await;
        let (api, folder) = (installation.api(), TempFolder::new("client"));
        let ca = api.authority().await.unwrap();
        std::fs::write(folder.path().join("ca.pem"), ca.to_pem().unwrap()).unwrap();
        Self { installation, _server: server, api, folder }
    }

    /// Where the server speaks SCEP.
    fn url(&self) -> String {
        self.installation.base().join("scep").unwrap().to_string()
    }

    /// A challenge that nobody has used, out of a profile whose signature OpenSSL has verified.
    async fn challenge(&self) -> String {
        let user = self.api.create_user(&format!("{}@example.org", uuid::Uuid::new_v4().simple())).await;
        let signed = self.api.profile(&user).await.unwrap();
        std::fs::write(self.folder.path().join("signed"), signed).unwrap();
        self.run("openssl", &words("cms -verify -inform DER -in signed -CAfile ca.pem -purpose any -out profile"));
        let profile = std::fs::read(self.folder.path().join("profile")).unwrap();
        let scep = Profile::read(&profile, &[]).unwrap().scep(None).unwrap().unwrap();
        scep.challenge.unwrap()
    }

    /// Runs a client that must succeed; gives its output.
    fn run(&self, program: &str, arguments: &[&str]) -> Vec<u8> {
        let output = run(self.folder.path(), program, arguments);
        assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.folder.path().join(name), bytes).unwrap();
    }

    /// What OpenSSL says of a certificate: subject, issuer, serial number.
    fn describe(&self, name: &str) -> String {
        let certificate = self.run("openssl", &["x509", "-in", name, "-noout", "-subject", "-issuer", "-serial"]);
        String::from_utf8(certificate).unwrap()
    }
}

/// Runs a client. A missing one is a failure, never a reason to skip.
fn run(folder: &Path, program: &str, arguments: &[&str]) -> Output {
    let output = Command::new(program).args(arguments).current_dir(folder).output();
    output.unwrap_or_else(|error| {
        panic!("{program} cannot be run ({error}): run scripts/test, which installs it, or install strongswan-pki, libstrongswan-extra-plugins, certmonger, dbus and openssl")
    })
}

fn words(text: &str) -> Vec<&str> {
    text.split(' ').collect()
}
