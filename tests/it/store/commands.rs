//! The command queue.

use enlist::{
    domain::{
        command::{Command, CommandState, EraseOptions, Purpose},
        id::{CommandId, EnrollmentId},
    },
    store::{
        Store,
        commands::{self, Conclusion, Offer, QueuedCommand},
    },
};

use super::fixture::{Enrolled, NOW, command, enrolled, first, read, write};
use crate::harness::{database::Database, every_backend};

every_backend!(
    commands_are_handed_out_in_the_order_in_which_they_were_ordered,
    a_command_that_was_put_off_waits_until_the_device_comes_anew,
    after_a_wipe_was_ordered_only_endings_are_handed_out,
    a_finished_command_never_changes_again,
    an_answer_is_noted_once_under_parallel_calls,
    what_waits_can_be_withdrawn,
    a_newer_command_takes_the_place_of_its_kind,
    commands_of_others_are_not_found,
);

const ANEW: Offer = Offer { includes_put_off: true, is_ending_only: false };
const WITH_AN_ANSWER: Offer = Offer { includes_put_off: false, is_ending_only: false };
const ENDING: Offer = Offer { includes_put_off: true, is_ending_only: true };

async fn next(store: &Store, enrollment: EnrollmentId, offer: Offer) -> Option<CommandId> {
    read(store, move |c| commands::next(c, enrollment, offer)).await.map(|command| command.id)
}

async fn insert(store: &Store, command: &QueuedCommand) {
    let row = command.clone();
    write(store, move |tx| commands::insert(tx, &row)).await;
}

async fn conclude(store: &Store, id: CommandId, state: CommandState) -> bool {
    let conclusion = Conclusion { state, error: Some("why".into()), answer: Some("{}".into()) };
    write(store, move |tx| commands::conclude(tx, id, &conclusion, NOW.plus_seconds(1))).await
}

/// Three questions for the facts, in this order.
async fn three(store: &Store, of: &Enrolled) -> [CommandId; 3] {
    let list = [
        command(of, &Command::SecurityInfo, Purpose::Facts),
        command(of, &Command::ProfileList { managed_only: true }, Purpose::Facts),
        command(of, &Command::DeclarativeManagement, Purpose::Facts),
    ];
    for command in &list {
        insert(store, command).await;
    }
    list.map(|command| command.id)
}

async fn commands_are_handed_out_in_the_order_in_which_they_were_ordered(db: Database) {
    let store = db.store();
    let ada = enrolled(&store, "ada@example.com").await;
    let other = enrolled(&store, "grace@example.com").await;
    let enrollment = ada.enrollment.id;
    assert!(!read(&store, move |c| commands::has_waiting(c, enrollment)).await);
    let ids = three(&store, &ada).await;
    assert!(read(&store, move |c| commands::has_waiting(c, enrollment)).await);
    assert!(next(&store, other.enrollment.id, ANEW).await.is_none());
    for id in ids {
        assert_eq!(next(&store, enrollment, ANEW).await, Some(id));
        assert!(write(&store, move |tx| commands::mark_sent(tx, id, NOW)).await);
        assert_eq!(next(&store, enrollment, ANEW).await, Some(id), "an answer that was lost: it is handed out again");
        assert!(write(&store, move |tx| commands::mark_sent(tx, id, NOW)).await);
        assert!(conclude(&store, id, CommandState::Acknowledged).await);
    }
    assert!(next(&store, enrollment, ANEW).await.is_none());
    let device = ada.device.id;
    let list = read(&store, move |c| commands::list(c, device, first(2))).await;
    assert_eq!(list.items.iter().map(|command| command.id).collect::<Vec<_>>(), [ids[2], ids[1]]);
    assert_eq!((list.total, list.items[0].times_sent, list.items[0].finished_at), (3, 2, Some(NOW.plus_seconds(1))));
    assert_eq!(list.items[1].command().unwrap(), Command::ProfileList { managed_only: true });
}

async fn a_command_that_was_put_off_waits_until_the_device_comes_anew(db: Database) {
    let store = db.store();
    let ada = enrolled(&store, "ada@example.com").await;
    let [first, second, _] = three(&store, &ada).await;
    assert!(conclude(&store, first, CommandState::NotNow).await);
    assert_eq!(next(&store, ada.enrollment.id, WITH_AN_ANSWER).await, Some(second));
    assert_eq!(next(&store, ada.enrollment.id, ANEW).await, Some(first));
    let kept = read(&store, move |c| commands::find_of_enrollment(c, ada.enrollment.id, first)).await.unwrap();
    assert_eq!((kept.state, kept.finished_at), (CommandState::NotNow, None));
}

async fn after_a_wipe_was_ordered_only_endings_are_handed_out(db: Database) {
    let store = db.store();
    let ada = enrolled(&store, "ada@example.com").await;
    let enrollment = ada.enrollment.id;
    three(&store, &ada).await;
    assert!(next(&store, enrollment, ENDING).await.is_none());
    assert!(!read(&store, move |c| commands::has_ending_waiting(c, enrollment)).await);
    for purpose in [Purpose::SelectiveWipe, Purpose::SelectiveWipeEnd, Purpose::FullWipe, Purpose::Retire] {
        let ending = command(&ada, &Command::EraseDevice(EraseOptions::default()), purpose);
        insert(&store, &ending).await;
        assert_eq!(next(&store, enrollment, ENDING).await, Some(ending.id));
        assert!(read(&store, move |c| commands::has_ending_waiting(c, enrollment)).await);
        assert!(conclude(&store, ending.id, CommandState::Acknowledged).await);
    }
    assert!(!read(&store, move |c| commands::has_ending_waiting(c, enrollment)).await);
}

async fn a_finished_command_never_changes_again(db: Database) {
    let store = db.store();
    let ada = enrolled(&store, "ada@example.com").await;
    for terminal in CommandState::ALL.iter().filter(|state| state.is_terminal()) {
        let made = command(&ada, &Command::SecurityInfo, Purpose::Facts);
        insert(&store, &made).await;
        assert!(conclude(&store, made.id, *terminal).await);
        for later in CommandState::ALL {
            assert!(!conclude(&store, made.id, *later).await, "{terminal} became {later}");
        }
        let id = made.id;
        assert!(!write(&store, move |tx| commands::mark_sent(tx, id, NOW)).await);
        write(&store, move |tx| commands::cancel_all(tx, made.enrollment_id, "over", NOW)).await;
        let kept = read(&store, move |c| commands::find_of_device(c, made.device_id, id)).await.unwrap();
        assert_eq!((kept.state, kept.error.as_deref(), kept.times_sent), (*terminal, Some("why"), 0));
    }
}

async fn an_answer_is_noted_once_under_parallel_calls(db: Database) {
    let store = std::sync::Arc::new(db.store());
    let ada = enrolled(&store, "ada@example.com").await;
    let made = command(&ada, &Command::SecurityInfo, Purpose::Facts);
    insert(&store, &made).await;
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { conclude(&store, made.id, CommandState::Acknowledged).await })
        })
        .collect();
    let mut noted = 0;
    for task in tasks {
        noted += u32::from(task.await.unwrap());
    }
    assert_eq!(noted, 1);
}

async fn what_waits_can_be_withdrawn(db: Database) {
    let store = db.store();
    let ada = enrolled(&store, "ada@example.com").await;
    let other = enrolled(&store, "grace@example.com").await;
    let [done, ..] = three(&store, &ada).await;
    three(&store, &other).await;
    let mut awaiting = command(&ada, &Command::EraseDevice(EraseOptions::default()), Purpose::FullWipe);
    awaiting.state = CommandState::AwaitingApproval;
    insert(&store, &awaiting).await;
    assert_eq!(next(&store, ada.enrollment.id, ENDING).await, None, "what waits for approval is not handed out");
    conclude(&store, done, CommandState::Acknowledged).await;
    let enrollment = ada.enrollment.id;
    assert_eq!(write(&store, move |tx| commands::cancel_all(tx, enrollment, "enrolled again", NOW)).await, 3);
    assert_eq!(write(&store, move |tx| commands::cancel_all(tx, enrollment, "enrolled again", NOW)).await, 0);
    let kept = read(&store, move |c| commands::find_of_enrollment(c, enrollment, awaiting.id)).await.unwrap();
    assert_eq!((kept.state, kept.error.as_deref(), kept.finished_at), (CommandState::Cancelled, Some("enrolled again"), Some(NOW)));
    assert!(next(&store, other.enrollment.id, ANEW).await.is_some());
}

async fn a_newer_command_takes_the_place_of_its_kind(db: Database) {
    let store = db.store();
    let ada = enrolled(&store, "ada@example.com").await;
    let enrollment = ada.enrollment.id;
    let [info, ..] = three(&store, &ada).await;
    let by_hand = command(&ada, &Command::SecurityInfo, Purpose::Administrator);
    insert(&store, &by_hand).await;
    assert!(read(&store, move |c| commands::is_waiting(c, enrollment, Purpose::Facts, "security_info")).await);
    let gone = write(&store, move |tx| commands::cancel_kind(tx, enrollment, Purpose::Facts, "security_info", "newer", NOW)).await;
    assert_eq!(gone, 1);
    assert!(!read(&store, move |c| commands::is_waiting(c, enrollment, Purpose::Facts, "security_info")).await);
    assert!(read(&store, move |c| commands::is_waiting(c, enrollment, Purpose::Administrator, "security_info")).await);
    let kept = read(&store, move |c| commands::find_of_enrollment(c, enrollment, info)).await.unwrap();
    assert_eq!(kept.state, CommandState::Cancelled);
}

async fn commands_of_others_are_not_found(db: Database) {
    let store = db.store();
    let ada = enrolled(&store, "ada@example.com").await;
    let other = enrolled(&store, "grace@example.com").await;
    let [id, ..] = three(&store, &ada).await;
    assert!(read(&store, move |c| commands::find_of_enrollment(c, other.enrollment.id, id)).await.is_none());
    assert!(read(&store, move |c| commands::find_of_device(c, other.device.id, id)).await.is_none());
    assert!(read(&store, move |c| commands::find_of_device(c, ada.device.id, CommandId::new())).await.is_none());
}
