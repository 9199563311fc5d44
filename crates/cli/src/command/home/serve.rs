use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    process::ExitCode,
};

use clap::Args;
use ipnet::IpNet;
use serde::Serialize;
use stemma_core::{
    ErrorKind, Problem,
    history::{KeyPurpose, VerifierKey},
    rights::{Action, Place, Rights},
};
use stemma_server::{
    Limits, ServeOptions, Server,
    app::{AccessRules, Anonymous},
    guard::{Host, NotAuthority},
};
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    global::Global,
    history::{LineRule, Source, Watch, witness::Witnesses},
    print::{self, Output},
    session::{self, HomePlace, OwnedHome},
    settings, view,
};

/// Serve API, endpoints and pages on one port
///
/// Owns the home while it runs; other commands in this workspace speak to it, through a socket that only this user can
/// open. On the port, callers on this machine may track, register and predict without a credential, as long as nothing
/// says that a proxy speaks for somebody else; on an address that others reach, or under a name of `--allow-host`,
/// everybody needs a token. Behind a proxy on this machine, use `--require-token`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:7878")]
    listen: SocketAddr,
    /// A name by which browsers reach this server, besides `localhost`; from then on everybody needs a token
    #[arg(long, value_name = "NAME", value_parser = host)]
    allow_host: Vec<Host>,
    /// Let nobody in without a token, not even from this machine: for a server behind a proxy
    #[arg(long, conflicts_with = "insecure_anonymous")]
    require_token: bool,
    /// Believe this proxy, or the proxies of a network, who asks them and whether by https; may be repeated
    #[arg(long, value_name = "ADDRESS|NETWORK", value_parser = network)]
    trusted_proxy: Vec<IpNet>,
    /// Let callers without a token in wherever they come from
    #[arg(long)]
    insecure_anonymous: bool,
    /// Sign the ledger's heads with the key in this file, which lies outside of the home; see `stemma audit rotate-key`
    #[arg(long, value_name = "PATH")]
    signing_key: Option<PathBuf>,
    /// The database that holds this home's ledger, where it has moved or has a password; the environment variable
    /// STEMMA_DATABASE shows the password to fewer people
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Keep the heads of another home's history as its witness, and co-sign them: its key, as `stemma audit checkpoint`
    /// prints it; may be repeated
    #[arg(long, value_name = "KEY", value_parser = home_key)]
    witness_of: Vec<VerifierKey>,
    /// How much stored content to read back in an hour, to find damage before somebody needs the content; 0 for none
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = print::parse_bytes)]
    verify_rate: u64,
}

/// An IPv6 address may be named without its brackets.
fn host(text: &str) -> Result<Host, NotAuthority> {
    text.parse().or_else(|error| text.parse().map(|address| Host::Address(IpAddr::V6(address))).map_err(|_| error))
}

fn home_key(text: &str) -> Result<VerifierKey, String> {
    let key: VerifierKey = text.parse().map_err(|error| format!("{error}"))?;
    match key.purpose() {
        KeyPurpose::Head => Ok(key),
        KeyPurpose::Cosignature => Err("it is a witness's key, not one that a home signs with".to_owned()),
    }
}

fn network(text: &str) -> Result<IpNet, String> {
    let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    network.map_err(|_| "expected an address or a network, as in `10.0.0.7` or `10.0.0.0/24`".to_owned())
}

#[derive(Serialize)]
struct Serving {
    address: String,
    anonymous: bool,
    /// What callers without a token may do on the port.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    anonymous_may: Vec<Action>,
    /// The key that heads of other homes are co-signed with.
    #[serde(skip_serializing_if = "Option::is_none")]
    witness_key: Option<VerifierKey>,
}

impl ServeArgs {
    fn access(&self) -> AccessRules {
        let listen = self.listen.ip().to_canonical();
        let mut hosts = self.allow_host.clone();
        if !listen.is_unspecified() {
            hosts.push(Host::Address(listen));
        }
        let has_name = self.allow_host.iter().any(|host| !host.is_local());
        let anonymous = match self.insecure_anonymous {
            true => Anonymous::Anywhere,
            false if self.require_token || has_name || !listen.is_loopback() => Anonymous::Nowhere,
            false => Anonymous::ThisMachine,
        };
        AccessRules { hosts, anonymous, proxies: self.trusted_proxy.clone(), witness_of: self.witness_of.clone() }
    }
}

/// What callers without a token may do, and where they have to be.
fn said_of_anonymous(anonymous: Anonymous) -> String {
    let may: Vec<&str> = what_anonymous_may(anonymous).into_iter().map(Action::in_words).collect();
    let may = may.join(", ");
    match anonymous {
        Anonymous::Nowhere => "callers need a token, see `stemma user add`".to_owned(),
        Anonymous::ThisMachine => {
            format!(
                "callers on this machine need no token to {may}, in all projects; what comes through a proxy needs one"
            )
        }
        Anonymous::Anywhere => {
            format!("warning: whoever reaches this address needs no token to {may}, in all projects")
        }
    }
}

fn what_anonymous_may(anonymous: Anonymous) -> Vec<Action> {
    let may = |action: &Action| *action != Action::Public && Rights::uncredentialed().allow(*action, Place::Home);
    match anonymous {
        Anonymous::Nowhere => Vec::new(),
        Anonymous::ThisMachine | Anonymous::Anywhere => Action::ALL.into_iter().filter(may).collect(),
    }
}

pub async fn run(args: ServeArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    if global.server.is_some() {
        return Err(Problem::invalid("`serve` serves the home in `.stemma/`, not another server")
            .hint("leave out `--server` and STEMMA_SERVER"));
    }
    // listened for before anything is opened, so that nothing stays open when somebody is quick
    let stop = stop_signal()?;
    let workspace = session::require_workspace()?;
    let place = HomePlace::of(&workspace)?;
    if place.has_answering_owner().await {
        return Err(served_already(&place));
    }
    let database = args.database.as_deref().map(|text| settings::database_url("--database", text)).transpose()?;
    if database.is_some() {
        require_database(&place)?;
    }
    let owned = OwnedHome::take(&place, args.signing_key.clone(), database).await?;
    let watch = Watch::begin(place.dir().display().to_string(), Some(&workspace));
    compare(&watch, &owned, output).await;
    let witnesses = Witnesses::of(&workspace)?;
    let served = {
        let told = witnesses.keep_telling(owned.engine(), output);
        tokio::pin!(told);
        tokio::select! {
            served = serve(&args, &place, &owned, stop, output) => served,
            () = &mut told => unreachable!("witnesses are told for as long as the server runs"),
        }
    };
    place.remove_traces();
    owned.delivery().finish().await;
    witnesses.tell(owned.engine(), output).await;
    compare(&watch, &owned, output).await;
    owned.release().await;
    served?;
    output.note("stopped");
    Ok(ExitCode::SUCCESS)
}

/// Compares the home's history with what this machine and the project remember of it.
async fn compare(watch: &Watch, owned: &OwnedHome, output: &Output) {
    let engine = owned.engine();
    let shown = watch.shown_by_own(engine).await;
    watch.end(shown, Source::Engine(engine), LineRule::Leave, output).await;
}

/// A ledger that lies in the home is not moved by naming a database.
fn require_database(place: &HomePlace) -> Result<(), Problem> {
    let home = place.layout()?.read_home()?;
    if home.is_none_or(|home| home.database.is_some()) {
        return Ok(());
    }
    let message = format!("the ledger of this home lies in `{}`, not in a database", place.dir().display());
    Err(Problem::new(ErrorKind::Config, message)
        .hint("leave out `--database`; `stemma init --database URL` makes a home whose ledger lies in one"))
}

fn served_already(place: &HomePlace) -> Problem {
    let at = place.served_address().unwrap_or_else(|| "an unknown address".to_owned());
    Problem::new(ErrorKind::Conflict, format!("this home is served already, at {at}"))
        .hint("use that one, or stop it first")
}

async fn serve(
    args: &ServeArgs,
    place: &HomePlace,
    owned: &OwnedHome,
    stop: impl Future<Output = ()>,
    output: &Output,
) -> Result<(), Problem> {
    let access = args.access();
    let anonymous = access.anonymous;
    let socket = Some(place.socket().to_owned());
    let options =
        ServeOptions { listen: args.listen, socket, verify_rate: args.verify_rate, limits: Limits::default() };
    let server = Server::bind(owned.app(access), &options).await?;
    let address = server.address().map_err(|error| Problem::new(ErrorKind::Internal, error.to_string()))?;
    let address = format!("http://{address}");
    place.write_address(&address)?;
    let anonymous_may = what_anonymous_may(anonymous);
    let witness_key = match args.witness_of.is_empty() {
        true => None,
        false => Some(owned.engine().witness_key()?.verifier().clone()),
    };
    let serving =
        Serving { address: address.clone(), anonymous: !anonymous_may.is_empty(), anonymous_may, witness_key };
    output.result(&serving, || address.clone());
    output.note(format!("pages: {address}/  API: {address}/api/v1/  inference: {address}/v2/"));
    if let Some(key) = &serving.witness_key {
        output.note(format!("witness of {}; co-signs with {key}", view::count(args.witness_of.len() as u64, "home")));
    }
    output.note(format!("{}; stop with Ctrl-C", said_of_anonymous(anonymous)));
    server.run(stop).await;
    Ok(())
}

/// Resolves when somebody wants us to stop.
fn stop_signal() -> Result<impl Future<Output = ()>, Problem> {
    let listen = |kind| {
        signal(kind).map_err(|error| Problem::new(ErrorKind::Internal, format!("can't listen for signals: {error}")))
    };
    let (mut interrupted, mut terminated) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        serve: ServeArgs,
    }

    fn access(args: &[&str]) -> AccessRules {
        Line::try_parse_from([&["serve"], args].concat()).unwrap().serve.access()
    }

    #[test]
    fn who_may_come_without_a_token() {
        for (args, expected) in [
            (&[][..], Anonymous::ThisMachine),
            (&["--listen", "[::1]:0"], Anonymous::ThisMachine),
            (&["--allow-host", "localhost"], Anonymous::ThisMachine),
            (&["--require-token"], Anonymous::Nowhere),
            (&["--allow-host", "stemma.example"], Anonymous::Nowhere),
            (&["--allow-host", "::ffff:127.0.0.1"], Anonymous::Nowhere),
            (&["--listen", "0.0.0.0:0"], Anonymous::Nowhere),
            (&["--listen", "192.0.2.7:0"], Anonymous::Nowhere),
            (&["--allow-host", "stemma.example", "--insecure-anonymous"], Anonymous::Anywhere),
        ] {
            assert_eq!(access(args).anonymous, expected, "{args:?}");
        }
        assert!(Line::try_parse_from(["serve", "--require-token", "--insecure-anonymous"]).is_err());
    }

    #[test]
    fn hosts_and_proxies_are_read() {
        let access =
            access(&["--allow-host", "A.example", "--trusted-proxy", "10.0.0.7", "--trusted-proxy", "fd00::/8"]);
        assert_eq!(access.hosts[0], Host::Name("a.example".into()));
        assert_eq!(access.proxies.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.0.0.7/32", "fd00::/8"]);
        for args in [["--allow-host", "a.example:80"], ["--allow-host", "http://a"], ["--trusted-proxy", "nginx"]] {
            assert!(Line::try_parse_from([&["serve"], &args[..]].concat()).is_err(), "{args:?}");
        }
    }

    #[test]
    fn what_the_anonymous_may_is_said_whole() {
        let said = said_of_anonymous(Anonymous::ThisMachine);
        for action in Action::ALL.into_iter().filter(|action| *action != Action::Public) {
            assert_eq!(
                said.contains(action.in_words()),
                Rights::uncredentialed().allow(action, Place::Home),
                "{action}"
            );
        }
    }
}
