//! The outbox.

use enlist::store::{
    Error,
    mails::{self, MailState},
};

use super::fixture::{NOW, mail, read, stored_user, write};
use crate::harness::{database::Database, every_backend};

every_backend!(a_mail_forgets_its_text_when_it_is_finished, a_mail_keeps_its_text_while_it_waits, message_ids_are_unique);

async fn a_mail_forgets_its_text_when_it_is_finished(db: Database) {
    let store = db.store();
    let ada = stored_user(&store, "ada@example.com").await;
    for (state, sent_at) in [(MailState::Sent, Some(NOW)), (MailState::Expired, None), (MailState::Failed, None)] {
        let made = mail(Some(ada.id));
        let id = made.id;
        write(&store, move |tx| mails::insert(tx, &made)).await;
        write(&store, move |tx| mails::finish(tx, id, state, Some("550 no such user"), NOW)).await;
        let kept = read(&store, move |c| mails::find(c, id)).await.unwrap();
        assert_eq!((kept.state, kept.sealed_message, kept.sent_at), (state, None, sent_at));
        assert_eq!(kept.last_error.as_deref(), Some("550 no such user"));
    }
}

async fn a_mail_keeps_its_text_while_it_waits(db: Database) {
    let store = db.store();
    let made = mail(None);
    let id = made.id;
    write(&store, move |tx| mails::insert(tx, &made)).await;
    write(&store, move |tx| mails::note_error(tx, id, "451 come back later")).await;
    let kept = read(&store, move |c| mails::find(c, id)).await.unwrap();
    assert_eq!((kept.state, kept.sealed_message), (MailState::Queued, Some(vec![1, 2, 3])));
    assert_eq!(kept.last_error.as_deref(), Some("451 come back later"));
}

async fn message_ids_are_unique(db: Database) {
    let store = db.store();
    let (first, mut second) = (mail(None), mail(None));
    second.message_id = first.message_id.clone();
    write(&store, move |tx| mails::insert(tx, &first)).await;
    let refused = store.write(move |tx| mails::insert(tx, &second)).await;
    assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
}
