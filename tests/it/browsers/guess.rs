//! Guessing codes, and telling from the answer who exists.

use std::time::{Duration, Instant};

use enlist::{
    domain::enrollment::{CODE_TRIES, CodeOnFile, FAILURES_PER_DAY},
    domain::time::Timestamp,
    service::{
        identify::{CodeAsked, CodeTried},
        secrets::generate_code,
    },
};

use super::ADA;
use crate::harness::{app::TestApp, database::Database, every_backend};

every_backend!(
    twenty_wrong_tries_a_day_close_an_account_even_to_the_right_code,
    asking_for_a_code_takes_as_long_for_somebody_as_for_nobody,
);

#[test]
fn a_hundred_thousand_guesses_hit_no_more_than_the_design_allows() {
    let now = Timestamp::from_millis(1_790_000_000_000);
    let (mut guesses, mut hits) = (0_u32, 0_u32);
    while guesses < 100_000 {
        let code = generate_code().unwrap();
        for tries in 0..=CODE_TRIES {
            let on_file = CodeOnFile { expires_at: now.plus_seconds(600), tries, is_spent: false };
            let is_hit = on_file.judge(generate_code().unwrap() == code, now).is_ok();
            guesses += 1;
            hits += u32::from(is_hit);
        }
    }
    // A hundred thousand tries of a hundred million codes hit 0.001 times; twice happens once in two million runs of this test.
    assert!(hits <= 1, "{hits} of {guesses} guesses were right");
    // And nobody gets that many: at most so many of them count in a day, whatever the number of codes.
    assert_eq!(FAILURES_PER_DAY, 20);
}

async fn twenty_wrong_tries_a_day_close_an_account_even_to_the_right_code(db: Database) {
    let app = TestApp::start(db).await;
    app.admin().create_user(ADA).await;
    let mut visits = Vec::new();
    for _ in 0..5 {
        let (_, visit) = app.app.begin_browser_visit(None).await.unwrap();
        assert_eq!(app.app.ask_code(visit.id, ADA).await.unwrap(), CodeAsked::Sent);
        app.work().await;
        visits.push(visit.id);
        app.clock.advance_seconds(16 * 60);
    }
    let (last, others) = visits.split_last().unwrap();
    let mut wrong = 0;
    for visit in others {
        // Five tries each, of which the first four visits' codes are too old by now: each counts all the same.
        for _ in 0..5 {
            assert_ne!(app.app.try_code(*visit, "00000000").await.unwrap(), CodeTried::Proved);
            wrong += 1;
        }
    }
    assert_eq!(wrong, FAILURES_PER_DAY);
    assert_eq!(app.app.ask_code(*last, ADA).await.unwrap(), CodeAsked::TooMany, "no further code is sent");
    assert_ne!(app.app.try_code(*last, &newest_code(&app)).await.unwrap(), CodeTried::Proved, "the account is closed for a day");
    app.clock.advance_days(1);
    let (_, visit) = app.app.begin_browser_visit(None).await.unwrap();
    assert_eq!(app.app.ask_code(visit.id, ADA).await.unwrap(), CodeAsked::Sent);
    app.work().await;
    assert_eq!(app.app.try_code(visit.id, &newest_code(&app)).await.unwrap(), CodeTried::Proved);
}

/// The code of the mail that was written last.
fn newest_code(app: &TestApp) -> String {
    let mut mails: Vec<_> = std::fs::read_dir(app.outbox()).unwrap().map(|entry| entry.unwrap().path()).collect();
    mails.sort_by_key(|path| std::fs::metadata(path).unwrap().modified().unwrap());
    let mail = std::fs::read_to_string(mails.last().unwrap()).unwrap();
    let digits = |word: &&str| word.len() == 8 && word.bytes().all(|byte| byte.is_ascii_digit());
    mail.split(|c: char| !c.is_ascii_alphanumeric()).find(digits).unwrap().to_owned()
}

async fn asking_for_a_code_takes_as_long_for_somebody_as_for_nobody(db: Database) {
    let app = TestApp::start(db).await;
    app.admin().create_user(ADA).await;
    let mut took: [Vec<Duration>; 2] = [Vec::new(), Vec::new()];
    for _ in 0..24 {
        for (address, times) in [ADA, "nobody@example.com"].into_iter().zip(&mut took) {
            let (_, visit) = app.app.begin_browser_visit(None).await.unwrap();
            let begun = Instant::now();
            assert_eq!(app.app.ask_code(visit.id, address).await.unwrap(), CodeAsked::Sent);
            times.push(begun.elapsed());
            app.work().await;
        }
        app.clock.advance_seconds(3 * 3600);
    }
    let [known, unknown] = took.map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2]
    });
    assert!(known.abs_diff(unknown) < Duration::from_millis(5), "known {known:?}, unknown {unknown:?}");
}
