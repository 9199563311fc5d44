use std::{net::SocketAddr, process::ExitCode};

use clap::Args;
use serde::Serialize;
use stemma_core::{ErrorKind, Problem};
use stemma_server::{ServeOptions, Server, app::AccessRules};
use tokio::signal::unix::{SignalKind, signal};

use super::Global;
use crate::{
    print::{self, Output},
    session::{self, HomePlace, OwnedHome},
};

/// Serve API, endpoints and pages on one port
///
/// Owns the home while it runs; other commands in this workspace speak to it. Without a credential, callers from this
/// machine may track, register and predict; on an address that others reach, everybody needs a token.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:7878")]
    listen: SocketAddr,
    /// A name by which browsers reach this server, besides `localhost`
    #[arg(long, value_name = "NAME")]
    allow_host: Vec<String>,
    /// Let callers without a token in although other machines reach the address
    #[arg(long)]
    insecure_anonymous: bool,
    /// How much stored content to read back in an hour, to find damage before somebody needs the content; 0 for none
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = print::parse_bytes)]
    verify_rate: u64,
}

#[derive(Serialize)]
struct Serving {
    address: String,
    anonymous: bool,
}

pub async fn run(args: ServeArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    if global.server.is_some() {
        return Err(Problem::invalid("`serve` serves the home in `.stemma/`, not another server")
            .hint("leave out `--server` and STEMMA_SERVER"));
    }
    // listened for before anything is opened, so that nothing stays open when somebody is quick
    let stop = stop_signal()?;
    let place = HomePlace::of(&session::require_workspace()?)?;
    if place.has_answering_owner().await {
        return Err(served_already(&place));
    }
    let owned = OwnedHome::take(&place).await?;
    let served = serve(&args, &place, &owned, stop, output).await;
    place.remove_traces();
    owned.close().await;
    served?;
    output.note("stopped");
    Ok(ExitCode::SUCCESS)
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
    let anonymous = args.insecure_anonymous || args.listen.ip().to_canonical().is_loopback();
    let mut hosts: Vec<String> = args.allow_host.iter().map(|host| host.to_lowercase()).collect();
    if !args.listen.ip().is_unspecified() {
        hosts.push(args.listen.ip().to_string());
    }
    let socket = Some(place.socket().to_owned());
    let options = ServeOptions { listen: args.listen, socket, verify_rate: args.verify_rate };
    let server = Server::bind(owned.app(AccessRules { hosts, anonymous }), &options).await?;
    let address = server.address().map_err(|error| Problem::new(ErrorKind::Internal, error.to_string()))?;
    let address = format!("http://{address}");
    place.write_address(&address)?;
    output.result(&Serving { address: address.clone(), anonymous }, || address.clone());
    output.note(format!("pages: {address}/  API: {address}/api/v1/  inference: {address}/v2/"));
    output.note(match anonymous {
        true => "callers without a token may track, register and predict; stop with Ctrl-C",
        false => "callers need a token, see `stemma user add`; stop with Ctrl-C",
    });
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
