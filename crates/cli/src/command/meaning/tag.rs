mod git;
mod name;

use std::{
    collections::{BTreeMap, BTreeSet},
    process::ExitCode,
};

use clap::{Args, Subcommand};
use stemma_api::types::{Describe, OfThing, SaidOfThing};
use stemma_core::{
    Problem,
    meaning::{Aspect, Said, TagKey},
};

use crate::{argument::AtArgs, global::Global, print::Output, session, view::meaning};

/// Tags of a thing: keys, each with a value or without; names of a version for good, and its Git tag
#[derive(Debug, Args)]
#[command(arg_required_else_help = true, args_conflicts_with_subcommands = true)]
pub struct TagArgs {
    /// Make an annotated Git tag for this version, on the commit that brought its line into `stemma.lock`; nothing is
    /// overwritten, and nothing is sent
    #[arg(long, value_name = "MODEL@VERSION")]
    git: Option<String>,
    #[command(subcommand)]
    act: Option<Act>,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Add tags, or give some another value
    Add {
        /// As for `stemma describe`
        thing: String,
        /// `KEY=VALUE`, or a key alone
        #[arg(required = true, value_name = "KEY[=VALUE]")]
        tags: Vec<String>,
    },
    /// Remove tags
    Remove {
        /// As for `stemma describe`
        thing: String,
        #[arg(required = true, value_name = "KEY")]
        keys: Vec<TagKey>,
    },
    /// List tags, with who set them and when
    List {
        /// As for `stemma describe`
        thing: String,
        #[command(flatten)]
        when: AtArgs,
    },
    Name(name::NameArgs),
}

impl TagArgs {
    /// Whether the home is to know it, and not only Git.
    pub const fn is_of_the_registry(&self) -> bool {
        matches!(self.act, Some(Act::Add { .. } | Act::Remove { .. } | Act::Name(_)))
    }
}

pub async fn run(args: TagArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let act = match (args.git, args.act) {
        (Some(version), _) => return git::run(&version, global, output).await,
        (None, Some(act)) => act,
        (None, None) => return Err(Problem::invalid("nothing is to be tagged").hint("see `stemma tag --help`")),
    };
    match act {
        Act::Name(args) => return name::run(args, global, output).await,
        Act::Add { thing, tags } => {
            let said = Said { tags: read(&tags)?, ..Said::default() };
            describe(Describe { of: thing, said }, global, output).await?;
        }
        Act::Remove { thing, keys } => {
            let untag: BTreeSet<TagKey> = keys.into_iter().collect();
            describe(Describe { of: thing, said: Said { untag, ..Said::default() } }, global, output).await?;
        }
        Act::List { thing, when } => list(&thing, when, global, output).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn describe(describe: Describe, global: &Global, output: &Output) -> Result<(), Problem> {
    let described =
        session::with(global, async |session| session.client.describe(&session.project, &describe).await).await?;
    output.result(&described, || meaning::described(&described));
    Ok(())
}

async fn list(thing: &str, when: AtArgs, global: &Global, output: &Output) -> Result<(), Problem> {
    session::with(global, async |session| {
        let client = session.client.clone().at(when.at);
        let found = client.meaning(&session.project, &OfThing { of: thing.to_owned() }).await?;
        let tags: Vec<(&SaidOfThing, bool)> = found.all().filter(|(one, _)| one.aspect == Aspect::Tag).collect();
        let listed: Vec<&SaidOfThing> = tags.iter().map(|(one, _)| *one).collect();
        output.dated(client.told_as_of(), &listed, || meaning::tags(&found.thing, &tags));
        Ok(())
    })
    .await
}

fn read(tags: &[String]) -> Result<BTreeMap<TagKey, String>, Problem> {
    let mut read = BTreeMap::new();
    for tag in tags {
        let (key, value) = tag.split_once('=').unwrap_or((tag, ""));
        if read.insert(TagKey::new(key)?, value.to_owned()).is_some() {
            return Err(Problem::invalid(format!("tag `{key}` is given twice")));
        }
    }
    Ok(read)
}
