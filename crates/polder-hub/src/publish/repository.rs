//! The repository and the branch that are published to.

use serde_json::json;

use super::Publication;
use crate::error::{Error, Result};
use crate::fetch::MAIN;
use crate::listing;

impl Publication<'_> {
    /// The commit that the branch is at; makes repository and branch where they are missing.
    ///
    /// # Errors
    /// No permission; no answer.
    pub(super) fn head(&self) -> Result<String> {
        let http = &self.hub.http;
        match listing::commit(http, self.address, self.branch) {
            Err(Error::NoRepository { .. } | Error::NoToken { .. }) => self.create()?,
            Err(Error::NoRevision { .. }) => return self.branch_off(),
            other => return other,
        }
        match listing::commit(http, self.address, self.branch) {
            Err(Error::NoRevision { .. }) => self.branch_off(),
            other => other,
        }
    }

    /// Makes the repository; one that is there already is as good.
    fn create(&self) -> Result<()> {
        let (owner, name) = match self.address.id.split_once('/') {
            Some((owner, name)) => (Some(owner), name),
            None => (None, self.address.id.as_str()),
        };
        let visibility = if self.options.private { "private" } else { "public" };
        let body = json!({
            "name": name, "organization": owner, "type": "model",
            "private": self.options.private, "visibility": visibility,
        });
        match self.post("/api/repos/create", &body) {
            Ok(_) | Err(Error::Conflict { .. }) => Ok(()),
            // A namespace that is not there, or not this token's, is all one.
            Err(Error::NoRepository { .. }) => Err(Error::Forbidden {
                repo: self.repo.clone(),
                message: format!("there is no namespace `{}` for it", owner.unwrap_or_default()),
            }),
            Err(error) => Err(error),
        }
    }

    /// Makes the branch where the default one is.
    fn branch_off(&self) -> Result<String> {
        if self.branch == MAIN {
            return Err(self.unusable("it has no commit on `main`"));
        }
        let path = format!("/api/models/{}/branch/{}", self.address.id, listing::encoded(self.branch));
        match self.post(&path, &json!({})) {
            Ok(_) | Err(Error::Conflict { .. } | Error::Answer { .. }) => {}
            Err(error) => return Err(error),
        }
        listing::commit(&self.hub.http, self.address, self.branch)
    }
}
