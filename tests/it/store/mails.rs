//! The outbox.

use enlist::store::{
    Error,
    mails::{self, MailState},
};

use super::fixture::{NOW, mail, read, stored_user, write};
use crate::harness::{database::Database, every_backend};

every_backend!(
    a_mail_forgets_its_text_when_it_is_finished,
    a_mail_keeps_its_text_while_it_waits,
    a_mail_that_was_given_up_forgets_its_text_with_its_point,
    message_ids_are_unique
);

async fn a_mail_forgets_its_text_when_it_is_finished(db: Database) {
    let store = db.store();
    let ada = stored_user(&store, "ada@example.com").await;
    // One that was given up keeps it: an administrator may have it tried again.
    for (state, sent_at, text) in
        [(MailState::Sent, Some(NOW), None), (MailState::Expired, None, None), (MailState::Failed, None, Some(vec![1, 2, 3]))]
    {
        let made = mail(Some(ada.id));
        let id = made.id;
        write(&store, move |tx| mails::insert(tx, &made)).await;
        write(&store, move |tx| mails::finish(tx, id, state, Some("550 no such user"), NOW)).await;
        let kept = read(&store, move |c| mails::find(c, id)).await.unwrap();
        assert_eq!((kept.state, kept.sealed_message, kept.sent_at), (state, text, sent_at));
        assert_eq!(kept.last_error.as_deref(), Some("550 no such user"));
    }
}

async fn a_mail_keeps_its_text_while_it_waits(db: Database) {
    let store = db.store();
    let made = mail(None);
    let id = made.id;
    write(&store, move |tx| mails::insert(tx, &made)).await;
    write(&store, move |tx| mails::note_error(tx, id, "451 come back later", false)).await;
    let kept = read(&store, move |c| mails::find(c, id)).await.unwrap();
    assert_eq!((kept.state, kept.sealed_message), (MailState::Queued, Some(vec![1, 2, 3])));
    assert_eq!(kept.last_error.as_deref(), Some("451 come back later"));
}

async fn a_mail_that_was_given_up_forgets_its_text_with_its_point(db: Database) {
    let store = db.store();
    let (mut short, mut long) = (mail(None), mail(None));
    (short.expires_at, long.expires_at) = (Some(NOW.plus_seconds(600)), None);
    let ids = [short.id, long.id];
    for made in [short, long] {
        let id = made.id;
        write(&store, move |tx| mails::insert(tx, &made)).await;
        write(&store, move |tx| mails::finish(tx, id, MailState::Failed, None, NOW)).await;
    }
    let failed = async |now| read(&store, move |c| mails::failed(c, now, 10)).await.into_iter().map(|(id, _)| id).collect::<Vec<_>>();
    assert_eq!(failed(NOW).await, ids);
    assert_eq!(write(&store, |tx| mails::forget_expired(tx, NOW.plus_seconds(599))).await, 0);
    assert_eq!(failed(NOW.plus_seconds(600)).await, [ids[1]], "it has lost its point already");
    assert_eq!(write(&store, |tx| mails::forget_expired(tx, NOW.plus_seconds(600))).await, 1);
    for (id, text) in ids.into_iter().zip([None, Some(vec![1, 2, 3])]) {
        assert_eq!(read(&store, move |c| mails::find(c, id)).await.unwrap().sealed_message, text);
    }
}

async fn message_ids_are_unique(db: Database) {
    let store = db.store();
    let (first, mut second) = (mail(None), mail(None));
    second.message_id = first.message_id.clone();
    write(&store, move |tx| mails::insert(tx, &first)).await;
    let refused = store.write(move |tx| mails::insert(tx, &second)).await;
    assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
}
