//! A rehearsal: devices play against a small stage that speaks the protocols as their documents do, from the portal's
//! first page to the end of a device's life.

pub(super) mod authority;
mod stage;

use std::{fs, sync::Arc, time::Duration};

use plist::{Dictionary, Value};
use tokio::sync::watch;

use self::stage::Stage;
use super::{
    IosOptions, Phone, PhoneOptions, State, fleet,
    iphone::{Door, Signature, anchors},
    keychain::Identity,
    model::Model,
    ota,
    profile::Service,
    propertylist::dictionary,
    transport::Wire,
};

fn command(kind: &str) -> Dictionary {
    dictionary([("RequestType", kind.into())])
}

fn options(stage: &Stage) -> IosOptions {
    let mut options = IosOptions::new(stage.url.clone(), "ann@example.com", &stage.outbox);
    options.ownership = Some("company".into());
    options.mail_patience = Duration::from_secs(5);
    options.poll_every = Duration::ZERO;
    options
}

async fn play(options: IosOptions) -> Vec<fleet::Report> {
    let (_keep, stopped) = watch::channel(false);
    fleet::run(options, stopped, Arc::new(|_| {})).await.unwrap()
}

/// The words of a message that was heard: its type, or its status and command.
fn words(stage: &Stage) -> Vec<String> {
    let heard = stage.heard.lock().unwrap();
    let text = |body: &Dictionary, key: &str| body.get(key).and_then(Value::as_string).unwrap_or_default().to_owned();
    heard
        .iter()
        .map(|message| {
            format!("{}{}{}", text(&message.body, "MessageType"), text(&message.body, "Status"), text(&message.body, "CommandUUID"))
        })
        .collect()
}

fn close(stage: &Stage) {
    fs::remove_dir_all(&stage.outbox).unwrap();
}

#[tokio::test]
async fn a_phone_enrolls_obeys_and_is_wiped() {
    let stage = Stage::open(vec![command("SecurityInfo"), command("EraseDevice"), command("ProfileList")]).await;
    let mut options = options(&stage);
    options.stay = true;
    let reports = play(options).await;
    assert_eq!((reports[0].state, reports[0].error.as_deref()), (State::Wiped, None));
    assert_eq!(reports[0].portal_done, Some(true));
    assert_eq!(words(&stage), ["Authenticate", "TokenUpdate", "Idle", "Acknowledgedc0", "Acknowledgedc1"]);
    let line = serde_json::to_value(&reports[0]).unwrap();
    assert_eq!(line["commands"][0], serde_json::json!({"request_type": "SecurityInfo", "status": "Acknowledged"}));
    assert_eq!(line["state"], "wiped");
    close(&stage);
}

#[tokio::test]
async fn two_phones_of_one_person_put_commands_off_and_lose_answers_yet_end_well() {
    let stage = Stage::open(vec![command("SecurityInfo"), command("DeviceInformation")]).await;
    let mut options = options(&stage);
    (options.count, options.not_now, options.lose_answers, options.binary_plist) = (2, true, true, true);
    options.polls = Some(4);
    let reports = play(options).await;
    assert!(reports.iter().all(|report| report.state == State::Enrolled && report.error.is_none()), "{reports:?}");
    assert_ne!(reports[0].udid, reports[1].udid);
    assert!(words(&stage).iter().any(|word| word == "NotNowc0"));
    close(&stage);
}

#[tokio::test]
async fn a_second_enrollment_and_a_renewal_use_new_keys_and_the_same_name() {
    let stage = Stage::open(Vec::new()).await;
    let mut options = options(&stage);
    (options.re_enroll, options.renew, options.polls) = (true, true, Some(1));
    let reports = play(options).await;
    assert_eq!((reports[0].state, reports[0].error.as_deref()), (State::Enrolled, None));
    let heard = stage.heard.lock().unwrap().clone();
    assert_eq!(words(&stage), ["Authenticate", "TokenUpdate", "Authenticate", "TokenUpdate", "Idle"]);
    assert_ne!(heard[1].signer, heard[2].signer, "the second enrollment has a certificate of its own");
    assert_ne!(heard[3].signer, heard[4].signer, "the poll is signed by the renewed certificate");
    assert!(heard.iter().all(|message| message.body["UDID"] == heard[0].body["UDID"]));
    close(&stage);
}

#[tokio::test]
async fn a_lost_answer_is_sent_again() {
    let stage = Stage::open(vec![command("SecurityInfo"), command("ProfileList")]).await;
    let wire = Wire::new(&super::Trust::System).unwrap();
    let behaviour = PhoneOptions { anchors: anchors(&wire, &stage.url).await.unwrap(), ..PhoneOptions::default() };
    let mut phone = Phone::new(&stage_profile(&wire, &stage).await, Model::numbered("t", 1), behaviour).unwrap();
    phone.enroll().await.unwrap();
    phone.lose_next_answer();
    assert!(phone.poll().await.unwrap().interrupted);
    assert_eq!(phone.poll().await.unwrap().steps.len(), 1);
    assert_eq!(words(&stage)[2..], ["Idle", "Acknowledgedc0", "Acknowledgedc0", "Acknowledgedc1"]);
    close(&stage);
}

#[tokio::test]
async fn a_401_ends_management() {
    let stage = Stage::open(Vec::new()).await;
    let wire = Wire::new(&super::Trust::System).unwrap();
    let behaviour = PhoneOptions { anchors: anchors(&wire, &stage.url).await.unwrap(), ..PhoneOptions::default() };
    let mut phone = Phone::new(&stage_profile(&wire, &stage).await, Model::numbered("t", 1), behaviour).unwrap();
    phone.enroll().await.unwrap();
    *stage.dismisses.lock().unwrap() = true;
    assert_eq!(phone.poll().await.unwrap().state, State::Removed);
    assert_eq!(phone.poll().await.unwrap().steps, []);
    close(&stage);
}

#[tokio::test]
async fn a_portal_that_leads_nowhere_is_quoted() {
    let stage = Stage::open(Vec::new()).await;
    let mut options = options(&stage);
    options.ownership = None;
    let reports = play(options).await;
    let error = reports[0].error.clone().unwrap();
    assert_eq!(reports[0].state, State::Failed);
    assert!(error.contains("\"Lost\"") && error.contains("nothing here"), "{error}");
    close(&stage);
}

#[tokio::test]
async fn steps_can_be_taken_one_by_one_and_wrongly() {
    let remove = dictionary([("RequestType", "RemoveProfile".into()), ("Identifier", "com.example.TOP-1".into())]);
    let stage = Stage::open(vec![remove]).await;
    let wire = Wire::new(&super::Trust::System).unwrap();
    let behaviour = PhoneOptions { anchors: anchors(&wire, &stage.url).await.unwrap(), ..PhoneOptions::default() };
    let profile = stage_profile(&wire, &stage).await;
    let mut phone = Phone::new(&profile, Model::numbered("t", 1), behaviour.clone()).unwrap();
    assert!(phone.authenticate().await.is_err(), "there is no certificate yet");
    phone.scep().await.unwrap();
    phone.authenticate().await.unwrap();
    phone.token_update().await.unwrap();
    let polled = phone.poll().await.unwrap();
    assert_eq!((polled.state, polled.steps.len()), (State::Removed, 1));
    assert_eq!(words(&stage).last().map(String::as_str), Some("CheckOut"));
    assert!(phone.identity().is_none());

    let mut wrong = Phone::new(&profile, Model::numbered("t", 2), behaviour.clone()).unwrap();
    wrong.scep_payload_mut().unwrap().challenge = Some("guessed".into());
    assert!(matches!(wrong.scep().await, Err(super::Error::Scep { meaning: "badRequest", .. })));
    let stranger = Identity::stranger("x").unwrap();
    let body = wrong.idle_request().unwrap();
    // The stage refuses by hanging up.
    assert!(wrong.send(Door::Connect, body, Signature::By(&stranger)).await.is_err());

    let strangers = PhoneOptions { anchors: vec![stranger.certificate], ..behaviour };
    assert!(Phone::new(&profile, Model::numbered("t", 3), strangers).is_err());
    close(&stage);
}

#[tokio::test]
async fn a_profile_service_is_played_through_its_phases() {
    let stage = Stage::open(Vec::new()).await;
    let wire = Wire::new(&super::Trust::System).unwrap();
    let roots = anchors(&wire, &stage.url).await.unwrap();
    let attributes = vec!["UDID".to_owned(), "MEID".to_owned()];
    let service = Service { url: stage.url.join("ota").unwrap(), attributes, challenge: Some("ota-1".into()) };
    let model = Model::numbered("t", 0);
    let built_in = Identity::stranger("maker").unwrap();
    let (profile, identity) = ota::play(&wire, &service, &model, &built_in, &roots).await.unwrap();
    let mut phone = Phone::new(&profile, model, PhoneOptions { anchors: roots, ..PhoneOptions::default() }).unwrap();
    assert!(phone.scep_payload().is_none());
    phone.set_identity(identity);
    phone.enroll().await.unwrap();
    assert_eq!(phone.state(), State::Enrolled);
    close(&stage);
}

/// The profile by a shorter way than the portal.
async fn stage_profile(wire: &Wire, stage: &Stage) -> Vec<u8> {
    // A cookie is all that the stage asks for; the device's own client has none.
    let url = stage.url.join("profile").unwrap();
    assert_eq!(wire.get(url.clone()).await.unwrap().status, 404);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    client.get(url).header("cookie", "browser=1").send().await.unwrap().bytes().await.unwrap().to_vec()
}
