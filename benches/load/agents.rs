//! Android agents that wait for nothing: each with its certificate on a connection of its own that stays open.

use std::pin::Pin;

use anyhow::Context;
use enlist::{
    domain::{
        backend::Backend,
        device::Ownership,
        id::{ChallengeId, EnrollmentId, UserId},
        time::{Clock, SystemClock},
    },
    simulator::{
        Trust,
        android::{
            Mode,
            agent::{Agent, Behaviour, Ticket},
            handset::Handset,
        },
    },
    store::{
        self, DatabaseUrl,
        certificates::{self, Challenge},
        enrollments::{self, Enrollment, Stage},
    },
};
use openssl::{
    pkey::PKey,
    sha::sha256,
    ssl::{SslConnector, SslMethod, SslVerifyMode},
    x509::X509,
};
use tokio::net::TcpStream;
use tokio_openssl::SslStream;

use crate::client::Line;

/// Gives each of these people the right to activate an agent, past the portal, whose pages are not what is measured; gives the
/// tokens.
///
/// # Errors
/// The database does not take it.
pub fn prepare(database: &str, people: &[String]) -> anyhow::Result<Vec<String>> {
    let url: DatabaseUrl = database.parse().map_err(|error| anyhow::anyhow!("{database}: {error}"))?;
    let people = people.iter().map(|id| Ok(id.parse::<UserId>()?)).collect::<anyhow::Result<Vec<_>>>()?;
    let mut tokens = Vec::new();
    store::write_once::<_, store::Error>(&url, |tx| {
        for user in people {
            let (enrollment, token) = (enrollment(user), uuid::Uuid::new_v4().to_string());
            enrollments::insert(tx, &enrollment)?;
            certificates::insert_challenge(
                tx,
                &Challenge {
                    id: ChallengeId::new(),
                    hash: sha256(token.as_bytes()).to_vec(),
                    enrollment_id: enrollment.id,
                    common_name: enrollment.id.to_string(),
                    email: "load@example.com".into(),
                    created_at: enrollment.created_at,
                    expires_at: enrollment.created_at.plus_seconds(900),
                    spent_at: None,
                },
            )?;
            tokens.push(token);
        }
        Ok(())
    })?;
    Ok(tokens)
}

fn enrollment(user_id: UserId) -> Enrollment {
    Enrollment {
        id: EnrollmentId::new(),
        user_id,
        device_id: None,
        generation: 0,
        ownership: Ownership::Company,
        rights: Backend::Agent.rights(Ownership::Company),
        state: Stage::Prepared,
        is_user_enrollment: false,
        consent_version: None,
        consented_at: None,
        fingerprint: None,
        topic: None,
        push_token: None,
        push_magic: None,
        sealed_unlock_token: None,
        is_awaiting_configuration: false,
        sealed_bootstrap_token: None,
        passcode_profile: None,
        created_at: SystemClock.now(),
        enrolled_at: None,
        ended_at: None,
        end_cause: None,
        backend: Backend::Agent,
        management_mode: None,
    }
}

/// Activates an agent for each token, lets it do what it is told at its enrollment, and opens its connection.
///
/// # Errors
/// The server refuses.
pub async fn connect(public_port: u16, tokens: Vec<String>) -> anyhow::Result<Vec<Box<dyn Line>>> {
    let mut lines: Vec<Box<dyn Line>> = Vec::new();
    for (number, token) in tokens.into_iter().enumerate() {
        let passcode = Some("7h!kQ2rs".to_owned());
        let habits =
            Behaviour { trust: Trust::Anybody, passcode, is_rooted: false, defers: false, mode: Mode::DeviceOwner, device_url: None };
        let mut agent = Agent::new(Handset::numbered("load", number), habits)?;
        let activate = format!("http://127.0.0.1:{public_port}/android/v1/activate").parse()?;
        agent.enroll(&Ticket { token, activate }).await?;
        agent.poll(0).await?;
        lines.push(Box::new(open(&agent).await?));
    }
    Ok(lines)
}

async fn open(agent: &Agent) -> anyhow::Result<SslStream<TcpStream>> {
    let port = agent.base()?.port().context("the port for devices has no number")?;
    let (key, chain) = agent.identity_pem()?;
    let mut builder = SslConnector::builder(SslMethod::tls())?;
    builder.set_verify(SslVerifyMode::NONE);
    let certificate = X509::from_pem(&chain)?;
    builder.set_certificate(&certificate)?;
    builder.set_private_key(PKey::private_key_from_pem(&key)?.as_ref())?;
    let stream = TcpStream::connect(("127.0.0.1", port)).await.context("the server takes no connection")?;
    stream.set_nodelay(true)?;
    let mut stream = SslStream::new(builder.build().configure()?.verify_hostname(false).into_ssl("localhost")?, stream)?;
    Pin::new(&mut stream).connect().await.context("the server takes no certificate")?;
    Ok(stream)
}
