//! Many users at once: lists are checked before anything is written, and then worked through in small batches, each of which
//! leaves the rest for the next, so that a crash costs nothing and repeats nothing.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use serde_json::json;

use super::{App, Error, Result, users::checked_name};
use crate::{
    domain::{
        audit::Actor,
        device::Ownership,
        id::{GroupId, ImportId, UserId},
        roster::{BadLine, MOST_LINES, Person, Roster},
        user::{UserState, normalize_address},
    },
    store::{
        Tx,
        audit::{self, Entry},
        groups,
        imports::{self, Import, ImportKind, ImportState, Line, Outcome},
        jobs::{self, NewJob},
        users::{self, User},
    },
};

/// The kind of the jobs that work through imports.
pub const JOB: &str = "import";
/// Lines in one transaction: few, because nobody else can write to the audit log meanwhile.
const BATCH: i64 = 25;
/// Batches before other jobs have their turn.
const TURNS: usize = 40;

/// One person of an import.
#[derive(Debug, Clone)]
pub struct NewPerson {
    /// Their address.
    pub email: String,
    /// Their name.
    pub name: String,
    /// Their groups.
    pub groups: Vec<GroupId>,
    /// Whose device they are invited to enroll.
    pub ownership: Ownership,
}

/// A list, compared with who is there.
#[derive(Debug, Clone, Default)]
pub struct Sorted {
    /// Those who would be created.
    pub new: Vec<Person>,
    /// Those who exist already.
    pub existing: Vec<Person>,
    /// What cannot be used.
    pub bad: Vec<BadLine>,
    /// The groups that the lines name.
    groups: HashMap<String, GroupId>,
}

impl Sorted {
    /// Everybody who can be imported, in the order of the list.
    #[must_use]
    pub fn people(&self, ownership: Ownership) -> Vec<NewPerson> {
        let mut all: Vec<&Person> = self.new.iter().chain(&self.existing).collect();
        all.sort_by_key(|person| person.line);
        let person = |person: &Person| NewPerson {
            email: person.email.clone(),
            name: person.name.clone(),
            groups: person.groups.iter().filter_map(|name| self.groups.get(&name.to_lowercase()).copied()).collect(),
            ownership: person.ownership.unwrap_or(ownership),
        };
        all.into_iter().map(person).collect()
    }
}

impl App {
    /// Compares a list with who is there, and its groups with those that are. Nothing is written.
    ///
    /// * `may_group`: whether whoever asks may put users into groups.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn sort_roster(&self, roster: Roster, may_group: bool) -> Result<Sorted> {
        let addresses: Vec<String> = roster.people.iter().map(|person| person.email.clone()).collect();
        let (existing, all_groups) =
            self.read(move |conn| Ok::<_, Error>((users::existing(conn, &addresses)?, groups::all(conn)?))).await?;
        let existing: HashSet<String> = existing.into_iter().collect();
        let groups = all_groups.into_iter().map(|(id, name)| (name.to_lowercase(), id)).collect();
        let mut sorted = Sorted { bad: roster.bad, groups, ..Sorted::default() };
        for person in roster.people {
            match wrong_groups(&person, &sorted.groups, may_group) {
                Some(why) => sorted.bad.push(BadLine { line: person.line, text: person.email, why }),
                None if existing.contains(&person.email) => sorted.existing.push(person),
                None => sorted.new.push(person),
            }
        }
        sorted.bad.sort_by_key(|bad| bad.line);
        Ok(sorted)
    }

    /// Begins to create users; those who exist already are left as they are.
    ///
    /// * `should_invite`: those who are created get the mail that asks them to enroll.
    ///
    /// # Errors
    /// [`Error::Invalid`] where somebody cannot be created; nothing is done then.
    pub async fn import_users(self: &Arc<Self>, actor: Actor, people: Vec<NewPerson>, should_invite: bool) -> Result<ImportId> {
        let people = checked(people)?;
        let app = Arc::clone(self);
        let id = ImportId::new();
        self.write(move |tx| {
            let named: HashSet<GroupId> = people.iter().flat_map(|person| person.groups.iter().copied()).collect();
            for group in named {
                groups::find(tx, group)?.ok_or_else(|| Error::invalid("users", format!("there is no group {group}")))?;
            }
            let lines = people
                .into_iter()
                .zip(1_i64..)
                .map(|(person, number)| Line::new(id, number, person.email, person.name, &person.groups, person.ownership))
                .collect::<std::result::Result<Vec<_>, _>>()?;
            app.begin_import(tx, &actor, (id, ImportKind::Users), should_invite, &lines)
        })
        .await?;
        self.jobs_waiting.notify_one();
        Ok(id)
    }

    /// Begins to invite everybody who takes part and has no device under management.
    ///
    /// * `group`: only its members.
    ///
    /// # Errors
    /// [`Error::Conflict`] where there is nobody to invite.
    pub async fn invite_without_device(self: &Arc<Self>, actor: Actor, ownership: Ownership, group: Option<GroupId>) -> Result<ImportId> {
        let app = Arc::clone(self);
        let id = ImportId::new();
        self.write(move |tx| {
            let found = users::without_device(tx, group)?;
            if found.is_empty() {
                return Err(Error::Conflict("everybody has a device already".into()));
            }
            let line = |((user, email, name), number): ((UserId, String, String), i64)| {
                let mut line = Line::new(id, number, email, name, &[], ownership)?;
                line.user_id = Some(user);
                Ok::<_, Error>(line)
            };
            let lines = found.into_iter().zip(1_i64..).map(line).collect::<Result<Vec<_>>>()?;
            app.begin_import(tx, &actor, (id, ImportKind::Invitations), true, &lines)
        })
        .await?;
        self.jobs_waiting.notify_one();
        Ok(id)
    }

    pub(super) fn begin_import(
        &self,
        tx: &mut Tx<'_>,
        actor: &Actor,
        (id, kind): (ImportId, ImportKind),
        should_invite: bool,
        lines: &[Line],
    ) -> Result<()> {
        let import = Import {
            id,
            kind,
            state: ImportState::Running,
            actor_kind: actor.kind,
            actor_name: actor.name.clone(),
            should_invite,
            created_at: self.now(),
            finished_at: None,
        };
        imports::insert(tx, &import, lines)?;
        enqueue(tx, id)?;
        let detail = json!({ "kind": kind, "users": lines.len(), "invite": should_invite });
        Ok(audit::record(
            tx,
            &Entry { at: self.now(), actor, action: "user.import", subject_kind: "import", subject: id.to_string(), detail },
        )?)
    }

    /// Goes on with an import, and leaves what is too much for one turn to the next.
    ///
    /// # Errors
    /// Those of the database; what was done stays done, and is not done again.
    pub async fn continue_import(self: &Arc<Self>, id: ImportId) -> Result<()> {
        for turn in 1..=TURNS {
            let app = Arc::clone(self);
            if !self.write(move |tx| app.import_batch(tx, id, turn == TURNS)).await? {
                break;
            }
        }
        self.jobs_waiting.notify_one();
        Ok(())
    }

    /// Deals with some of the lines that wait; says whether there were any.
    fn import_batch(&self, tx: &mut Tx<'_>, id: ImportId, is_last: bool) -> Result<bool> {
        // Locked: a worker who was believed dead may be at it still.
        let Some(import) = imports::find_for_update(tx, id)?.filter(|import| import.state == ImportState::Running) else {
            return Ok(false);
        };
        let lines = imports::waiting(tx, id, BATCH)?;
        if lines.is_empty() {
            imports::finish(tx, id, self.now())?;
            return Ok(false);
        }
        for mut line in lines {
            match import.kind {
                ImportKind::Users => self.create_from(tx, &import, &mut line)?,
                ImportKind::Invitations => self.invite_from(tx, &import, &mut line)?,
                ImportKind::Announcements => self.announce_to(tx, &mut line)?,
            }
            imports::settle(tx, &line)?;
        }
        if is_last {
            enqueue(tx, id)?;
        }
        Ok(true)
    }

    fn create_from(&self, tx: &mut Tx<'_>, import: &Import, line: &mut Line) -> Result<()> {
        if let Some(user) = users::find_by_email(tx, &line.email)? {
            (line.outcome, line.user_id) = (Outcome::Existing, Some(user.id));
            return Ok(());
        }
        let members_of = line.groups()?;
        if groups::count_existing(tx, &members_of)? != members_of.len() {
            (line.outcome, line.why) = (Outcome::Failed, Some("a group of this line was removed meanwhile".into()));
            return Ok(());
        }
        let now = self.now();
        let user = User {
            id: UserId::new(),
            email: line.email.clone(),
            name: line.name.clone(),
            source: "local".into(),
            role: None,
            state: UserState::Active,
            password_hash: None,
            must_change_password: false,
            created_at: now,
            updated_at: now,
            language: None,
        };
        self.create_user_in(tx, &import.actor(), &user, &members_of)?;
        (line.outcome, line.user_id) = (Outcome::Created, Some(user.id));
        if import.should_invite {
            line.mail_id = Some(self.invite_in(tx, &import.actor(), &user, line.ownership)?);
        }
        Ok(())
    }

    fn invite_from(&self, tx: &mut Tx<'_>, import: &Import, line: &mut Line) -> Result<()> {
        let user = line.user_id.map(|id| users::find(tx, id)).transpose()?.flatten();
        let why = match &user {
            None => Some("the user was removed meanwhile"),
            Some(user) if user.state != UserState::Active => Some("the user was disabled meanwhile"),
            Some(_) => None,
        };
        if let Some(why) = why {
            (line.outcome, line.why) = (Outcome::Failed, Some(why.into()));
            return Ok(());
        }
        let Some(user) = user else { return Ok(()) };
        if users::managed_devices(tx, user.id)? > 0 {
            line.outcome = Outcome::Existing;
            return Ok(());
        }
        line.mail_id = Some(self.invite_in(tx, &import.actor(), &user, line.ownership)?);
        line.outcome = Outcome::Invited;
        Ok(())
    }
}

/// The key of the job that works through an import.
#[must_use]
pub fn job_key(id: ImportId) -> String {
    format!("{JOB}:{id}")
}

fn enqueue(tx: &mut Tx<'_>, id: ImportId) -> Result<()> {
    Ok(jobs::enqueue(tx, &NewJob { kind: JOB, key: job_key(id), payload: json!({ "import": id }), delay_seconds: 0 })?)
}

fn wrong_groups(person: &Person, known: &HashMap<String, GroupId>, may_group: bool) -> Option<String> {
    if person.groups.is_empty() {
        return None;
    }
    if !may_group {
        return Some("your role does not include putting users into groups; leave the column out".into());
    }
    let unknown = person.groups.iter().find(|name| !known.contains_key(&name.to_lowercase()))?;
    Some(format!("there is no group \"{unknown}\"; create it first, or leave it out"))
}

/// Brings every address into its normal form and refuses what cannot be created, with its place in the list.
fn checked(mut people: Vec<NewPerson>) -> Result<Vec<NewPerson>> {
    if people.is_empty() || people.len() > MOST_LINES {
        return Err(Error::invalid("users", format!("must be 1 to {MOST_LINES} users")));
    }
    let mut seen = HashSet::new();
    for (at, person) in people.iter_mut().enumerate() {
        let field = |name: &str| format!("users[{at}].{name}");
        person.email = normalize_address(&person.email).map_err(|why| Error::invalid(field("email"), why))?;
        person.name = checked_name(&person.name).map_err(|error| match error {
            Error::Invalid { why, .. } => Error::invalid(field("name"), why),
            other => other,
        })?;
        person.groups.sort_unstable();
        person.groups.dedup();
        if !seen.insert(person.email.clone()) {
            return Err(Error::invalid(field("email"), "stands in the list twice"));
        }
    }
    Ok(people)
}
