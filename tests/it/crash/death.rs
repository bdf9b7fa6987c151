//! A server that is killed again and again, at points that a seed decides, and started on the same data.

use std::{
    future::Future,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use enlist::simulator::Error;
use tokio::sync::{Mutex, Notify};

use crate::harness::process::{Api, Installation, Server};

/// How long somebody tries again.
const PATIENCE: Duration = Duration::from_secs(60);

/// Numbers that are the same for the same seed (splitmix64).
pub struct Dice(pub u64);

impl Dice {
    /// A number below the bound.
    pub fn throw(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % below
    }
}

/// A server in danger.
pub struct Arena {
    pub installation: Installation,
    pub api: Api,
    server: Mutex<Option<Server>>,
    steps: AtomicUsize,
    stepped: Notify,
}

impl Arena {
    /// Starts the server.
    pub async fn new(installation: Installation) -> Self {
        let server = Mutex::new(Some(installation.start().await));
        let api = installation.api();
        Self { installation, api, server, steps: AtomicUsize::new(0), stepped: Notify::new() }
    }

    /// Does one step of a client: again and again until it is answered.
    pub async fn step<T, F: Future<Output = Result<T, Error>>>(&self, what: &str, mut attempt: impl FnMut() -> F) -> T {
        let began = std::time::Instant::now();
        self.steps.fetch_add(1, Ordering::SeqCst);
        self.stepped.notify_one();
        loop {
            match attempt().await {
                Ok(value) => return value,
                Err(Error::Network { .. } | Error::Refused { status: 503, .. }) if began.elapsed() < PATIENCE => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(error) => panic!("{what}: {error}"),
            }
        }
    }

    /// Kills the server so many times, each time within the next steps of the clients, and starts it again. Gives how long
    /// each start took. Ends early when the clients are done.
    pub async fn haunt(&self, deaths: usize, steps: usize, seed: u64) -> Vec<Duration> {
        let mut dice = Dice(seed);
        let mut starts = Vec::new();
        let first = self.steps.load(Ordering::SeqCst);
        for death in 0..deaths {
            let goal = first + steps * death / deaths + usize::try_from(dice.throw(4)).unwrap();
            while self.steps.load(Ordering::SeqCst) < goal {
                self.stepped.notified().await;
            }
            tokio::time::sleep(Duration::from_micros(dice.throw(12_000))).await;
            let mut server = self.server.lock().await;
            server.take().unwrap().kill();
            let next = self.installation.launch(self.installation.port());
            starts.push(next.wait_until_ready().await);
            *server = Some(next);
        }
        starts
    }

    /// The median of the starts is short enough; single ones may be slow on a busy machine.
    pub fn judge(mut starts: Vec<Duration>, deaths: usize) {
        assert_eq!(starts.len(), deaths, "the clients were done too early");
        starts.sort();
        assert!(starts[starts.len() / 2] < Duration::from_secs(5), "ready only after {starts:?}");
    }
}
