//! What devices do, phase by phase, against one server.

use std::time::Duration;

use anyhow::{Context, ensure};
use enlist::simulator::{Trust, iphone, keychain, propertylist::dictionary, scep::Authority, transport::Wire};
use openssl::x509::X509;
use plist::Value;

use crate::{
    agents,
    api::Api,
    client::{Load, Request, Target, drive_over},
    figures::{Phase, count},
    fleet::{Candidate, Member},
    server::{self, Server},
};

/// What `DeviceInformation` asks for here.
const QUERIES: [&str; 8] = ["DeviceName", "OSVersion", "BuildVersion", "ModelName", "Model", "ProductName", "SerialNumber", "IsSupervised"];
/// Connections that a proxy holds to the gate.
const GATE_CONNECTIONS: usize = 32;
/// Sessions after which no device has anything left to do.
const SESSIONS: usize = 20;

/// How much is done.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// How many devices there are.
    pub devices: usize,
    /// How many times each polls with nothing to do.
    pub polls: usize,
    /// How many commands each gets.
    pub commands: usize,
}

/// A server under load.
pub struct Stage<'a> {
    /// The process.
    pub server: &'a Server,
    /// Where it is.
    pub target: Target,
    /// Its database, as it is configured.
    pub database: String,
    /// How much is done.
    pub size: Size,
    /// What was measured so far.
    pub phases: Vec<Phase>,
}

/// Adds up the measured parts of a phase.
#[derive(Default)]
struct Sum {
    latencies: Vec<Duration>,
    took: Duration,
    processor: Duration,
    database: Duration,
}

impl Stage<'_> {
    /// Plays everything, from the first certificate to the last command.
    ///
    /// # Errors
    /// The server did not do what it should.
    pub async fn play(&mut self, token: &str) -> anyhow::Result<()> {
        let api = Api::new(self.target, token);
        let mut members = self.certify(&api).await?;
        let enrollments: Vec<_> = members.iter().map(|member| vec![&member.authenticate, &member.token_update]).collect();
        let mut sum = Sum::default();
        self.measure(&mut sum, &enrollments, false).await?;
        self.note("(a) Authenticate, TokenUpdate", sum)?;
        drop(enrollments);
        self.obey_everything(&mut members).await?;
        self.poll(&members).await?;
        self.ask_gate(&members).await?;
        self.command("(c) Idle, DeviceInformation, Acknowledged", "device_information", &api, &mut members).await?;
        self.command("(c′) Idle, SecurityInfo, Acknowledged", "security_info", &api, &mut members).await?;
        self.poll_as_agents(&api).await
    }

    /// As many agents as there are connections poll as often as the iPhones did together, each with its certificate on a connection
    /// that stays open.
    async fn poll_as_agents(&mut self, api: &Api) -> anyhow::Result<()> {
        let people = api.people(self.target.connections).await?;
        let tokens = agents::prepare(&self.database, &people)?;
        let lines = agents::connect(self.target.port, tokens).await?;
        let poll = Request::new("GET", "/android/v1/commands", &[], b"");
        let polls = vec![vec![&poll]; self.size.devices.saturating_mul(self.size.polls)];
        let mut sum = Sum::default();
        let (server, database) = (self.server.processor_time()?, server::processor_time_of_all("postgres"));
        let load = drive_over(lines, &polls, false).await?;
        self.add(&mut sum, load, server, database).map(drop)?;
        self.note("(e) Agent's poll over mutual TLS, nothing to do", sum)
    }

    /// SCEP for everybody.
    async fn certify(&mut self, api: &Api) -> anyhow::Result<Vec<Member>> {
        let base = reqwest::Url::parse(&format!("http://127.0.0.1:{}/", self.target.port))?;
        let wire = Wire::new(&Trust::System)?;
        let anchors: Vec<X509> = iphone::anchors(&wire, &base).await?;
        let authority = Authority::discover(&wire, &base.join("scep")?, None).await?;
        let key = keychain::rsa_key(2048)?;
        let profiles = api.profiles(self.size.devices).await?;
        let candidates = profiles.iter().enumerate().map(|(number, profile)| Candidate::new(number, profile, &anchors, &key, &authority));
        let candidates = candidates.collect::<anyhow::Result<Vec<_>>>()?;
        let mut sum = Sum::default();
        let requests: Vec<_> = candidates.iter().map(|candidate| vec![&candidate.request]).collect();
        let load = self.measure(&mut sum, &requests, true).await?;
        self.note("(d) SCEP enrollment", sum)?;
        let answers = load.answers.iter().map(|answers| answers.first().context("an answer is missing"));
        candidates.into_iter().zip(answers).map(|(candidate, answer)| candidate.enroll(answer?, &key, &authority, &anchors)).collect()
    }

    /// Every device does what it was told at its enrollment. Not measured.
    async fn obey_everything(&self, members: &mut [Member]) -> anyhow::Result<()> {
        let mut turns: Vec<(usize, Request)> = members.iter().map(|member| member.idle.clone()).enumerate().collect();
        for _ in 0..SESSIONS {
            let requests: Vec<_> = turns.iter().map(|(_, request)| vec![request]).collect();
            let load = self.target.drive(&requests, true).await?;
            let mut next = Vec::new();
            for ((place, _), answers) in turns.iter().zip(&load.answers) {
                let answer = answers.first().context("an answer is missing")?;
                if !answer.body.is_empty() {
                    next.push((*place, members.get_mut(*place).context("a device is missing")?.obey(&answer.body)?));
                }
            }
            if next.is_empty() {
                return Ok(());
            }
            turns = next;
        }
        anyhow::bail!("the server has always one more command")
    }

    /// Everybody polls, again and again, with nothing to do.
    async fn poll(&mut self, members: &[Member]) -> anyhow::Result<()> {
        let polls: Vec<_> = (0..self.size.polls).flat_map(|_| members.iter().map(|member| vec![&member.idle])).collect();
        let mut sum = Sum::default();
        self.measure(&mut sum, &polls, false).await?;
        self.note("(b) Idle, nothing to do", sum)
    }

    /// A proxy asks about everybody, again and again, after it has asked about each once.
    async fn ask_gate(&mut self, members: &[Member]) -> anyhow::Result<()> {
        let once: Vec<_> = members.iter().map(|member| vec![&member.gate]).collect();
        let usual = self.target;
        self.target.connections = usual.connections.min(GATE_CONNECTIONS);
        self.target.drive(&once, false).await?;
        let asked: Vec<_> = (0..self.size.polls).flat_map(|_| members.iter().map(|member| vec![&member.gate])).collect();
        let mut sum = Sum::default();
        self.measure(&mut sum, &asked, false).await?;
        self.target = usual;
        self.note("(g) Gate, known devices", sum)
    }

    /// Everybody polls, gets a command, acknowledges it, and is told that this was all.
    async fn command(&mut self, name: &'static str, kind: &str, api: &Api, members: &mut [Member]) -> anyhow::Result<()> {
        let ids = api.devices().await?;
        let ids = members.iter().map(|member| ids.get(member.serial()).map(String::as_str).context("a device is missing"));
        let ids = ids.collect::<anyhow::Result<Vec<_>>>()?;
        let request_type = if kind == "device_information" { "DeviceInformation" } else { "SecurityInfo" };
        let queries = QUERIES.into_iter().map(Value::from).collect();
        let command = dictionary([("RequestType", request_type.into()), ("Queries", Value::Array(queries))]);
        let mut sum = Sum::default();
        for _ in 0..self.size.commands {
            let uuids = api.order(&ids, kind).await?;
            let answers = members.iter_mut().zip(&uuids).map(|(member, uuid)| member.answer(uuid, &command));
            let answers = answers.collect::<anyhow::Result<Vec<_>>>()?;
            let sessions: Vec<_> = members.iter().zip(&answers).map(|(member, answer)| vec![&member.idle, answer]).collect();
            let load = self.measure(&mut sum, &sessions, true).await?;
            for (answers, uuid) in load.answers.iter().zip(&uuids) {
                let [command, end] = answers.as_slice() else { anyhow::bail!("a session is not complete") };
                ensure!(String::from_utf8_lossy(&command.body).contains(uuid), "the command that was ordered did not come");
                ensure!(end.body.is_empty(), "another command came than was ordered");
            }
        }
        self.note(name, sum)
    }

    async fn measure(&self, sum: &mut Sum, conversations: &[Vec<&Request>], is_kept: bool) -> anyhow::Result<Load> {
        let (server, database) = (self.server.processor_time()?, server::processor_time_of_all("postgres"));
        let load = self.target.drive(conversations, is_kept).await?;
        self.add(sum, load, server, database)
    }

    /// Adds what was measured, given the processor times of server and database before.
    fn add(&self, sum: &mut Sum, mut load: Load, server: Duration, database: Duration) -> anyhow::Result<Load> {
        sum.processor += self.server.processor_time()?.saturating_sub(server);
        sum.database += server::processor_time_of_all("postgres").saturating_sub(database);
        sum.latencies.append(&mut load.latencies);
        sum.took += load.took;
        Ok(load)
    }

    fn note(&mut self, name: &'static str, mut sum: Sum) -> anyhow::Result<()> {
        let mut phase = Phase::new(name, &mut sum.latencies, sum.took);
        let thousands = count(sum.latencies.len()) / 1e3;
        phase.processor = sum.processor.as_secs_f64() / thousands;
        phase.database_processor = sum.database.as_secs_f64() / thousands;
        phase.memory = count(usize::try_from(self.server.peak_memory()?)?) / 1e3;
        println!(
            "{name:<44} {:>7.0} requests/s  p99 {:>6.1} ms  {:.3} CPU s per 1,000  {:>4.0} MB",
            phase.rate, phase.p99, phase.processor, phase.memory
        );
        self.phases.push(phase);
        Ok(())
    }
}
