use clap::{Args, builder::PossibleValuesParser};
use stemma_api::types::{Access, AccessEntry, FindAccess, Limit, Unwritten};
use stemma_core::{
    Problem, id::TokenId, name::PrincipalName, record::Auth, rights::Action, visible::visible,
    written_time::WrittenTime,
};

use crate::{
    argument,
    global::Global,
    print::{self, Output},
    session::{self, Session},
};

/// List who was refused, and who read content, models and predictions, the newest first
///
/// A server notes it; commands that open a home themselves are its user's own. With `--project`, only what is in it.
#[derive(Debug, Args)]
pub struct AccessArgs {
    /// Only what somebody did, or tried
    #[arg(long, value_name = "NAME")]
    who: Option<PrincipalName>,
    /// Only what was asked with this token, by its id
    #[arg(long, value_name = "ID")]
    token: Option<TokenId>,
    /// Only what came from this address; of IPv6 its network, as in `2001:db8:0:1::/64`
    #[arg(long, value_name = "ADDRESS")]
    from: Option<String>,
    /// Only what takes this right
    #[arg(long, value_parser = PossibleValuesParser::new(Action::ALL.map(Action::as_str)))]
    action: Option<String>,
    /// Only what was asked of this: a digest, a prediction, a name
    #[arg(long, value_name = "TEXT")]
    thing: Option<String>,
    /// Only what was refused
    #[arg(long)]
    refused: bool,
    /// Only from this time on
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only up to this time; a date is the end of the day, in UTC
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Go on where the list before ended
    #[arg(long, value_name = "PLACE")]
    after: Option<String>,
    /// How many
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
}

pub async fn run(args: AccessArgs, global: &Global, output: &Output) -> Result<(), Problem> {
    session::with(global, async |session| show(&args, global, session, output).await).await
}

async fn show(args: &AccessArgs, global: &Global, session: &Session, output: &Output) -> Result<(), Problem> {
    let moment = |option: &str, text: &Option<String>, which| {
        text.as_deref().map(|text| argument::moment(option, text, which)).transpose()
    };
    let ask = FindAccess {
        who: args.who.clone(),
        token: args.token,
        from: args.from.clone(),
        action: args.action.clone(),
        project: global.project.clone(),
        thing: args.thing.clone(),
        refused: args.refused,
        since: moment("--since", &args.since, WrittenTime::start)?,
        until: moment("--until", &args.until, WrittenTime::last)?,
        cursor: args.after.clone(),
        limit: Limit::near(args.limit),
    };
    let found = session.client.find_access(&ask).await?;
    output.result(&found, || {
        let header = ["time", "who", "from", "right", "asked for", "outcome"];
        print::table(&header, found.items.iter().map(row))
    });
    for what in &found.not_read {
        output.note(format!("could not be read: {what}"));
    }
    if found.not_kept > 0 {
        output.note(format!("{} more could not be written yet", found.not_kept));
    }
    if let Some(next) = &found.next {
        output.note(format!("there are more: the same with `--after {next}`"));
    }
    Ok(())
}

fn row(entry: &AccessEntry) -> Vec<String> {
    match entry {
        AccessEntry::Access(access) => access_row(access),
        AccessEntry::Unwritten(unwritten) => unwritten_row(unwritten),
    }
}

fn access_row(access: &Access) -> Vec<String> {
    let who = match (&access.by, access.auth) {
        (None, _) => String::new(),
        (Some(by), Some(Auth::Authenticated)) => by.to_string(),
        (Some(by), Some(auth)) => format!("{by} ({})", auth.as_str()),
        (Some(by), None) => format!("{by} (by the token alone)"),
    };
    vec![
        print::time(access.time),
        who,
        access.from.clone(),
        access.action.as_str().replace('_', " "),
        visible(&access.thing).into_owned(),
        access.outcome.as_str().to_owned(),
    ]
}

fn unwritten_row(unwritten: &Unwritten) -> Vec<String> {
    let outcome = match unwritten.refused {
        Some(true) => "refused",
        Some(false) => "allowed",
        None => "",
    };
    vec![
        print::time(unwritten.time),
        unwritten.by.as_ref().map(ToString::to_string).unwrap_or_default(),
        unwritten.from.clone().unwrap_or_default(),
        String::new(),
        format!("and {} more: {}", unwritten.count, unwritten.why.in_words()),
        outcome.to_owned(),
    ]
}
