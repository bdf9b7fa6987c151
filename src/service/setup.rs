//! The first start: the organization's name, the first administrator, the push topic.

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier},
};
use serde_json::json;

use super::{App, Error, Result, settings};
use crate::{
    domain::{
        audit::Actor,
        id::UserId,
        time::Timestamp,
        user::{Role, UserState, normalize_address},
    },
    store::{
        self, Tx,
        audit::{self, Entry},
        users::{self, User},
    },
};

/// Fewest characters of a password.
pub const SHORTEST_PASSWORD: usize = 12;

/// What came of the first set-up.
#[derive(Debug, PartialEq, Eq)]
pub enum Initialized {
    /// The first administrator was created.
    Created,
    /// There was one already; nothing was changed.
    Already,
}

impl App {
    /// Creates the first administrator and names the organization; does nothing where there is an administrator already.
    ///
    /// # Errors
    /// [`Error::Invalid`] where a value is not usable.
    pub async fn initialize(
        self: &std::sync::Arc<Self>,
        actor: Actor,
        organization: String,
        email: &str,
        password: String,
    ) -> Result<Initialized> {
        settings::check_organization(&organization)?;
        let email = normalize_address(email).map_err(|why| Error::invalid("email", why))?;
        let app = std::sync::Arc::clone(self);
        if self.read(|conn| users::count_role(conn, Role::Administrator)).await? > 0 {
            return Ok(Initialized::Already);
        }
        let password_hash = hash_password(password).await?;
        self.write(move |tx| {
            if users::count_role(tx, Role::Administrator)? > 0 {
                return Ok(Initialized::Already);
            }
            let now = app.now();
            settings::name_organization(tx, &app, &organization)?;
            let user = User {
                id: UserId::new(),
                name: email.clone(),
                email,
                source: "local".into(),
                role: Some(Role::Administrator),
                state: UserState::Active,
                password_hash: Some(password_hash),
                must_change_password: false,
                created_at: now,
                updated_at: now,
                language: None,
            };
            users::insert(tx, &user)?;
            let detail = json!({ "email": user.email, "role": user.role, "organization": organization });
            audit::record(
                tx,
                &Entry { at: now, actor: &actor, action: "server.init", subject_kind: "user", subject: user.id.to_string(), detail },
            )?;
            Ok(Initialized::Created)
        })
        .await
    }
}

/// The push topic of all enrollment profiles: that of the push certificate. While none was imported it is one of our own making,
/// which real devices cannot be reached by.
pub(super) fn push_topic(tx: &mut Tx<'_>, now: Timestamp) -> Result<String> {
    const KEY: &str = "push_topic";
    if let Some(topic) = store::push_certificates::active_topic(tx)? {
        return Ok(topic);
    }
    if let Some(topic) = store::settings::find::<String>(tx, KEY)? {
        return Ok(topic);
    }
    let topic = format!("com.apple.mgmt.External.{}", uuid::Uuid::new_v4());
    store::settings::insert_if_missing(tx, KEY, &topic, now)?;
    Ok(store::settings::find(tx, KEY)?.unwrap_or(topic))
}

/// Hashes a password with Argon2id, on a thread that may block.
///
/// # Errors
/// [`Error::Invalid`] where it is too short.
pub(super) async fn hash_password(password: String) -> Result<String> {
    if password.chars().count() < SHORTEST_PASSWORD {
        return Err(Error::invalid("password", format!("must have at least {SHORTEST_PASSWORD} characters")));
    }
    if password.len() > 1024 {
        return Err(Error::invalid("password", "must have at most 1024 bytes"));
    }
    let hashed = tokio::task::spawn_blocking(move || {
        Argon2::default().hash_password(password.as_bytes()).map(|hash| hash.to_string()).map_err(|error| error.to_string())
    });
    hashed
        .await
        .map_err(|error| Error::internal("hashing a password", error))?
        .map_err(|error| Error::internal("hashing a password", error))
}

/// Whether a password is the one that was hashed.
#[must_use]
pub fn is_password(password: &str, hash: &str) -> bool {
    argon2::PasswordHash::new(hash).is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}
