//! What an administrator does before the devices come: people, profiles, and later commands.

use std::collections::HashMap;

use anyhow::Context;
use serde_json::{Value, json};

use crate::client::{Request, Target};

/// The API with a token.
pub struct Api {
    target: Target,
    authorization: String,
}

impl Api {
    /// With this token.
    #[must_use]
    pub fn new(target: Target, token: &str) -> Self {
        Self { target, authorization: format!("Bearer {token}") }
    }

    fn request(&self, method: &str, path: &str, body: &Value) -> Request {
        let headers = [("Authorization", self.authorization.as_str()), ("Content-Type", "application/json")];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        Request::new(method, path, &headers, body.as_bytes())
    }

    /// Sends many at once; gives the bodies of the answers in the same order.
    async fn send_all(&self, requests: &[Request]) -> anyhow::Result<Vec<Vec<u8>>> {
        let conversations: Vec<_> = requests.iter().map(|request| vec![request]).collect();
        let load = self.target.drive(&conversations, true).await?;
        Ok(load.answers.into_iter().map(|mut answers| answers.pop().unwrap_or_default().body).collect())
    }

    /// Creates so many people and gives an enrollment profile for each.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn profiles(&self, count: usize) -> anyhow::Result<Vec<Vec<u8>>> {
        let person = |number| json!({ "email": format!("person{number}@example.com"), "name": format!("Person {number}") });
        let people: Vec<_> = (0..count).map(|number| self.request("POST", "/api/v1/users", &person(number))).collect();
        let mut requests = Vec::new();
        for person in self.send_all(&people).await? {
            let id = text(&serde_json::from_slice(&person)?, "/id")?;
            let body = json!({ "platform": "ios", "ownership": "company" });
            requests.push(self.request("POST", &format!("/api/v1/users/{id}/enrollment-profile"), &body));
        }
        self.send_all(&requests).await
    }

    /// Creates so many people more; gives their identifiers.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn people(&self, count: usize) -> anyhow::Result<Vec<String>> {
        let person = |number| json!({ "email": format!("agent{number}@example.com"), "name": format!("Agent {number}") });
        let people: Vec<_> = (0..count).map(|number| self.request("POST", "/api/v1/users", &person(number))).collect();
        self.send_all(&people).await?.iter().map(|person| text(&serde_json::from_slice(person)?, "/id")).collect()
    }

    /// The identifier of each device, by its serial number.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn devices(&self) -> anyhow::Result<HashMap<String, String>> {
        let mut devices = HashMap::new();
        let mut path = "/api/v1/devices?limit=200".to_owned();
        loop {
            let page: Value = serde_json::from_slice(&self.target.ask(&self.request("GET", &path, &Value::Null)).await?)?;
            for device in page.pointer("/items").and_then(Value::as_array).context("a page has no items")? {
                devices.insert(text(device, "/serial")?, text(device, "/id")?);
            }
            match page.pointer("/next_cursor").and_then(Value::as_str) {
                Some(cursor) => path = format!("/api/v1/devices?limit=200&cursor={cursor}"),
                None => return Ok(devices),
            }
        }
    }

    /// Orders the same command for each of these devices; gives the `CommandUUID`s in the same order.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn order(&self, devices: &[&str], kind: &str) -> anyhow::Result<Vec<String>> {
        let requests: Vec<_> =
            devices.iter().map(|id| self.request("POST", &format!("/api/v1/devices/{id}/commands"), &json!({ "kind": kind }))).collect();
        let answers = self.send_all(&requests).await?;
        answers.iter().map(|answer| Ok(text(&serde_json::from_slice(answer)?, "/command/id")?.to_uppercase())).collect()
    }
}

fn text(value: &Value, pointer: &str) -> anyhow::Result<String> {
    value.pointer(pointer).and_then(Value::as_str).map(str::to_owned).with_context(|| format!("an answer has no {pointer}: {value}"))
}
