//! Keep: contents that somebody pushed stay, although no version and no run names them here.

use stemma_api::types::ContentsKept;
use stemma_core::{Digest, Problem, content_list::ContentList, event::Event, id::RequestId, name::ProjectName};

use crate::{Caller, Engine, content::transfer::keep_content};

/// Contents in one list.
const LIST_MAX: usize = 50_000;

impl Engine {
    /// Makes a fact of it that contents of the project are to stay; folders stay with all that is in them. The same
    /// contents are one fact however often they are pushed.
    pub async fn keep_pushed(
        &self,
        caller: &Caller,
        project: &ProjectName,
        contents: Vec<Digest>,
    ) -> Result<ContentsKept, Problem> {
        if contents.is_empty() || contents.len() > LIST_MAX {
            return Err(Problem::invalid(format!("{} contents in one list, expected 1 to {LIST_MAX}", contents.len())));
        }
        let ContentList { contents } = ContentList::new(contents);
        self.known().check_none_purged(project, &contents).await?;
        let missing = self.known().ungranted(project, &contents).await?;
        let gone = keep_content(self, contents.clone()).await?;
        if let Some(lost) = missing.iter().chain(&gone).next() {
            return Err(Problem::not_found(format!("there is no content `{lost}` in project `{project}`"))
                .hint("push it again"));
        }
        let count = contents.len() as u64;
        let text = ContentList { contents }.to_string();
        let list = self.put_content(project, text.into_bytes()).await?;
        let fact = Event::ContentKept { project: project.clone(), list, contents: count };
        let decide = || async { Ok(vec![fact.clone()]) };
        let events = self.change(caller, once(caller, project, list), decide).await?;
        if events != [fact] {
            return Err(Problem::invalid("this request id was used for something else"));
        }
        Ok(ContentsKept { list, contents: count })
    }
}

/// The same for the same fact, so that it is committed once.
fn once(caller: &Caller, project: &ProjectName, list: Digest) -> RequestId {
    let named = format!("content kept\n{}\n{project}\n{list}", caller.actor.principal);
    Digest::of(named.as_bytes()).hex()[..32].parse().expect("it is 32 hex digits")
}
