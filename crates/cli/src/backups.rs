//! What `backup` and `restore` share: where backups lie, and what is drawn meanwhile.

use clap::Args;
use indicatif::ProgressBar;
use stemma_backup::{Place, Step};
use stemma_core::Problem;
use stemma_remote::{Policy, Progress, Target};

use crate::{print::Output, session, settings};

/// Where backups lie. Credentials come from the environment, as those of remotes do.
#[derive(Debug, Args)]
pub struct PlaceArgs {
    /// A folder, `s3://BUCKET/PREFIX`, `gs://…` or `az://CONTAINER/PREFIX`
    target: String,
    /// Address of a server that speaks the cloud's protocol
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// The cloud's region
    #[arg(long)]
    region: Option<String>,
    /// Allow transfers without encryption
    #[arg(long)]
    allow_http: bool,
}

impl PlaceArgs {
    pub fn place(&self) -> Result<Place, Problem> {
        let Self { target, endpoint, region, allow_http } = self;
        let target =
            Target { url: target.clone(), endpoint: endpoint.clone(), region: region.clone(), allow_http: *allow_http };
        let policy = Policy::default().for_memory(settings::memory());
        Place::new(target, &settings::cloud_variables(), &session::current_dir()?, policy)
    }
}

/// From now on, files and folders that this process makes are its user's alone.
pub fn keep_private() {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
}

/// A folder for copies of indexes, removed at the end.
pub fn cache() -> Result<tempfile::TempDir, Problem> {
    tempfile::tempdir().map_err(|error| {
        let message = format!("no folder for what passes by can be made: {error}");
        Problem::new(stemma_core::ErrorKind::Config, message).hint("set TMPDIR to a folder that can be written")
    })
}

/// The bar of a step, in the place of that of the step before.
pub struct Bar<'a> {
    output: &'a Output,
    drawn: Option<(Step, ProgressBar)>,
    sending: &'static str,
}

impl<'a> Bar<'a> {
    /// `sending` says what content does.
    pub const fn new(output: &'a Output, sending: &'static str) -> Self {
        Self { output, drawn: None, sending }
    }

    pub fn tell(&mut self, step: Step, moved: Progress) {
        if self.drawn.as_ref().is_none_or(|(drawn, _)| *drawn != step) {
            self.end();
            let bar = match step {
                Step::Audit => {
                    let spinner = self.output.spinner();
                    spinner.set_message("checking");
                    spinner
                }
                Step::Content => self.output.progress(moved.total, self.sending),
                Step::Parts => self.output.progress(moved.total, "ledger and log"),
            };
            self.drawn = Some((step, bar));
        }
        if let Some((_, bar)) = self.drawn.as_ref().filter(|_| step != Step::Audit) {
            bar.set_length(moved.total);
            bar.set_position(moved.done);
        }
    }

    pub fn end(&mut self) {
        if let Some((_, bar)) = self.drawn.take() {
            bar.finish_and_clear();
        }
    }
}
