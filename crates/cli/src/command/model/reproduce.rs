use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};

use clap::Args;
use stemma_api::types::{
    ContentClaim, Paging, RecordReproduction, RecordRun, Reproduced, Resolved, RunDetail, TrainedAgain,
};
use stemma_core::{
    ErrorKind, Problem,
    name::ModelName,
    record::Actor,
    reproduction::{EnvironmentDifference, RepeatedOutput, ReproductionLevel},
};
use stemma_runner::{
    Environment,
    sandbox::{SandboxError, Wall},
};
use stemma_store::Store;
use stemma_workspace::reproduce::{
    Builds, Installed, Plan, PlannedFile, PlannedPlace, PythonChoice, ReproduceError, Scratch, Search, Trained,
    Training, TrainingNetwork, find_interpreter, install, plan, repeated_outputs, train,
};

use crate::{
    argument::model_and_version,
    confirm::{self, Answer},
    global::Global,
    print::{self, Output},
    secrets,
    session::{self, Session},
    view,
};

/// Train a version again elsewhere and say how equal it is
///
/// Everything that its run recorded is put into a new folder outside of the workspace: code, data, and the packages in
/// an environment of their own. Then the recorded command is run there. This runs code that other people wrote: what
/// will happen is shown first, and asked for; it reads nothing of yours, has no network, and ends with this command. What
/// came out is searched for your secrets before it is sent. The answer is a level of the ladder and is kept as evidence
/// of the version. Ends with exit code 8 if the level is weaker than `--at-least`, and with 6 if nothing may be sent.
///
/// Levels, the strongest first: R1 same bytes, R2 same model apart from names, R3 numbers within tolerance, R4 same
/// answers on the evaluation data, R5 metrics as those of repeated trainings, R0 everything had and the model another.
#[derive(Debug, Args)]
pub struct ReproduceArgs {
    /// The version: `model@1.2.0`, `model@alias`, `model@stage`, or the model alone for its newest version
    #[arg(value_name = "MODEL@VERSION")]
    version: String,
    /// Only show what would happen
    #[arg(long, conflicts_with = "yes")]
    plan: bool,
    /// Only show what the newest reproduction found
    #[arg(long, conflicts_with_all = ["yes", "plan"])]
    last: bool,
    /// Don't ask before other people's code is run
    #[arg(short, long)]
    yes: bool,
    /// Train this many times; from 3 on, the spread of the metrics shows (R5)
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=20))]
    times: u8,
    /// The weakest level that counts as passed
    #[arg(long, value_name = "LEVEL", default_value = "R4")]
    at_least: ReproductionLevel,
    /// The Python to make the environment with, instead of one that is looked for
    #[arg(long, value_name = "PATH")]
    python: Option<PathBuf>,
    /// The command may use the network while it trains, as the recorded run did
    #[arg(long)]
    allow_network: bool,
    /// Packages that are no wheels may be built, which runs their code while they are installed
    #[arg(long)]
    allow_builds: bool,
    /// Work in this folder, which must be empty or not exist, instead of a temporary one
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
    /// What one training may hold in memory, with all that it starts; without it, four times what was recorded
    #[arg(long, value_name = "SIZE", value_parser = print::parse_bytes)]
    memory: Option<u64>,
    /// What one training may write, in all
    #[arg(long, value_name = "SIZE", value_parser = print::parse_bytes)]
    disk: Option<u64>,
    /// How long one training may take, in seconds; without it, ten times what was recorded
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    time: Option<u64>,
    /// How many processes one training may have at a time
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    processes: Option<u32>,
    /// Go on although this machine can't keep what is run from `files`, `metadata` or `processes`; once for each
    #[arg(long, value_name = "WALL")]
    allow_uncontained: Vec<Wall>,
    /// Leave the folder with files, packages and logs where it is
    #[arg(long)]
    keep: bool,
    /// Record the trainings as runs too
    #[arg(long)]
    record: bool,
}

/// What is to be trained again, as the home knows it.
struct Subject {
    model: ModelName,
    version: String,
    run: RunDetail,
    environment: Environment,
    actor: Actor,
}

pub async fn run(args: ReproduceArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let (model, version) = model_and_version(&args.version)?;
    if args.last {
        let last = session::with(global, async |session| last(session, &model, &version).await).await?;
        output.result(&last, || view::reproduction::text(&last, output));
        return Ok(ExitCode::SUCCESS);
    }
    let (subject, plan) = session::with(global, async |session| look(session, model, &version).await).await?;
    let plan = args.limited(plan);
    if args.plan {
        output.result(&plan, || args.show(&subject.name(), &plan));
        return Ok(ExitCode::SUCCESS);
    }
    output.note(args.show(&subject.name(), &plan));
    check_walls(&plan)?;
    confirm(&args)?;
    // whoever loses this race is dropped, and the folder with it
    let reproduced = tokio::select! {
        reproduced = reproduce(&args, subject, plan, global, output) => reproduced?,
        () = interrupted() => return Err(ReproduceError::Interrupted.into()),
    };
    output.result(&reproduced, || view::reproduction::text(&reproduced, output));
    if reproduced.passed { Ok(ExitCode::SUCCESS) } else { Ok(ExitCode::from(ErrorKind::Corrupt.exit_code())) }
}

impl ReproduceArgs {
    const fn network(&self) -> TrainingNetwork {
        if self.allow_network { TrainingNetwork::Allowed } else { TrainingNetwork::Refused }
    }

    /// The plan with what the options say of it.
    fn limited(&self, mut plan: Plan) -> Plan {
        let limits = &mut plan.limits;
        limits.memory_bytes = self.memory.unwrap_or(limits.memory_bytes);
        limits.disk_bytes = self.disk.unwrap_or(limits.disk_bytes);
        limits.time_max_s = self.time.unwrap_or(limits.time_max_s);
        limits.processes = self.processes.unwrap_or(limits.processes);
        plan.uncontained = self.allow_uncontained.iter().copied().collect();
        plan
    }

    fn show(&self, version: &str, plan: &Plan) -> String {
        view::reproduction::plan(version, plan, self.into.as_deref(), self.times, self.network())
    }
}

impl Subject {
    fn name(&self) -> String {
        format!("{}@{}", self.model, self.version)
    }
}

async fn look(session: &Session, model: ModelName, version: &str) -> Result<(Subject, Plan), Problem> {
    let detail = session.client.version(&session.project, &model, version).await?;
    let name = detail.version.name();
    let run = detail.run.ok_or_else(|| {
        Problem::invalid(format!("no run is known that made `{name}`"))
            .hint("train with `stemma run -- COMMAND`, then register what it wrote")
    })?;
    let environment = run.environment.clone().ok_or_else(|| {
        Problem::not_found(format!("the environment of run `{}` is not there any more", run.record.id))
            .hint("see `stemma verify`")
    })?;
    let environment: Environment = serde_json::from_value(environment).map_err(|error| {
        Problem::new(ErrorKind::Corrupt, format!("the environment of run `{}` can't be read: {error}", run.record.id))
    })?;
    let plan = plan(&run.record, &environment, detail.version.digest)?;
    let you = session.client.home().await?.you;
    let actor = Actor { principal: you.principal, auth: you.auth };
    Ok((Subject { model, version: detail.version.number.to_string(), run, environment, actor }, plan))
}

async fn last(session: &Session, model: &ModelName, version: &str) -> Result<Reproduced, Problem> {
    let newest = session.client.reproductions(&session.project, model, version, &Paging::new(None, 1)).await?;
    let none = || {
        Problem::not_found(format!("`{model}@{version}` was not trained again so far"))
            .hint(format!("see `stemma reproduce {model}@{version} --plan`"))
    };
    newest.items.into_iter().next().ok_or_else(none)
}

/// Refuses to run others' code where this machine can't contain it.
fn check_walls(plan: &Plan) -> Result<(), Problem> {
    let missing = plan.missing_walls();
    if missing.is_empty() {
        return Ok(());
    }
    let options: Vec<String> = missing.iter().map(|one| format!("--allow-uncontained {}", one.wall)).collect();
    let hint = format!("run it where user name spaces are allowed, or go on all the same with `{}`", options.join(" "));
    Err(Problem::from(SandboxError::Missing(missing)).hint(hint))
}

/// Asks the person at the terminal; elsewhere `--yes` has to say so.
fn confirm(args: &ReproduceArgs) -> Result<(), Problem> {
    if args.yes {
        return Ok(());
    }
    match confirm::ask("run this?") {
        Answer::Yes => Ok(()),
        Answer::No => Err(Problem::invalid("nothing was run")),
        Answer::NobodyThere => {
            Err(Problem::invalid("this would run code that other people wrote, and nobody is here to be asked")
                .hint("look at it with `--plan`, then say `--yes`"))
        }
    }
}

/// Ends when somebody wants this to end while no command of ours runs; those get the signals themselves.
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

async fn reproduce(
    args: &ReproduceArgs,
    subject: Subject,
    plan: Plan,
    global: &Global,
    output: &Output,
) -> Result<Reproduced, Problem> {
    let mut scratch = Scratch::create(args.into.as_deref())?;
    if args.keep {
        scratch.leave();
        output.note(format!("working in `{}`", scratch.root().display()));
    }
    let work = Work { subject: Arc::new(subject), plan: Arc::new(plan), scratch: Arc::new(scratch) };
    let mut missing = session::with(global, async |session| work.fetch(session, output).await).await?;
    missing.extend(work.look_outside().await?);
    let mut done = Done::default();
    if missing.is_empty() {
        match work.run(args, global, output, &mut done).await {
            Err(ReproduceFailure::Missing(what)) => return Err(not_tried(&work.subject.name(), what)),
            Err(ReproduceFailure::Problem(problem)) => return Err(problem),
            Ok(()) => {}
        }
    }
    session::with(global, async |session| work.record(session, args, missing, done, output).await).await
}

/// What an index or this machine lacks says nothing of the model: no rung of the ladder is looked at, and nothing is
/// recorded.
fn not_tried(version: &str, missing: Vec<String>) -> Problem {
    let problem = Problem {
        missing,
        ..Problem::not_found(format!("`{version}` could not be tried: packages of its run can't be had here"))
    };
    problem.hint("nothing was recorded; try again where they can be had, or with another index (`PIP_INDEX_URL`)")
}

/// What has been trained so far.
#[derive(Default)]
struct Done {
    trained: Vec<Trained>,
    /// Of the environment as it was installed, if nothing was trained.
    installed: Vec<EnvironmentDifference>,
}

/// What can't be had is an answer; everything else is a failure.
enum ReproduceFailure {
    Missing(Vec<String>),
    Problem(Problem),
}

impl From<ReproduceError> for ReproduceFailure {
    fn from(error: ReproduceError) -> Self {
        match error {
            ReproduceError::Missing(missing) => Self::Missing(missing),
            error => Self::Problem(error.into()),
        }
    }
}

/// Shared with the threads that work.
#[derive(Clone)]
struct Work {
    subject: Arc<Subject>,
    plan: Arc<Plan>,
    scratch: Arc<Scratch>,
}

impl Work {
    /// Brings the files of the project into the scratch folder; returns what can't be had.
    async fn fetch(&self, session: &Session, output: &Output) -> Result<Vec<String>, Problem> {
        let mut missing = Vec::new();
        for file in self.plan.files.iter().filter(|file| file.place == PlannedPlace::Project) {
            if self.scratch.has(&file.digest) {
                continue;
            }
            match session.download(&content(file), &self.scratch.files(), output).await {
                Ok(fetched) => self.scratch.take(&file.digest, fetched.path())?,
                Err(problem) if matches!(problem.kind, ErrorKind::NotFound | ErrorKind::Corrupt) => {
                    missing.push(format!("{}: {}", file.name(), problem.message));
                }
                Err(problem) => return Err(problem),
            }
        }
        self.fetch_lock_files(session, output).await?;
        Ok(missing)
    }

    /// Lock files know hashes of packages; without them the packages' versions are all that is asked for.
    async fn fetch_lock_files(&self, session: &Session, output: &Output) -> Result<(), Problem> {
        for lock in self.plan.lock_files.iter().filter(|lock| !self.scratch.has(&lock.digest)) {
            let Ok(content) = session.client.resolve(&session.project, &lock.digest.to_string()).await else {
                continue;
            };
            let fetched = session.download(&content, &self.scratch.files(), output).await?;
            self.scratch.take(&lock.digest, fetched.path())?;
        }
        Ok(())
    }

    async fn look_outside(&self) -> Result<Vec<String>, Problem> {
        let work = self.clone();
        on_thread(move || {
            let outside = work.plan.outside_files();
            Ok::<_, Problem>(outside.filter_map(PlannedFile::look_outside).collect())
        })
        .await
    }

    /// Makes the environment and runs the command as often as is wanted.
    async fn run(
        &self,
        args: &ReproduceArgs,
        global: &Global,
        output: &Output,
        done: &mut Done,
    ) -> Result<(), ReproduceFailure> {
        let installed = match &self.plan.interpreter {
            None => None,
            Some(_) => {
                let installed = self.install(args, output).await?;
                done.installed = installed.differences.clone();
                Some(installed)
            }
        };
        let workspace = stemma_workspace::Workspace::find(&session::current_dir().map_err(ReproduceFailure::Problem)?);
        let workspace = workspace.map_err(|error| ReproduceFailure::Problem(error.into()))?;
        let project = session::project(global, workspace.as_ref());
        for time in 1..=args.times {
            let what = if args.times == 1 { "training".into() } else { format!("training {time} of {}", args.times) };
            let network = args.network();
            let (work, installed, project) = (self.clone(), installed.clone(), project.clone());
            let trained = watched(output, what, move |line| {
                let training = Training {
                    plan: &work.plan,
                    recorded: &work.subject.run.record,
                    environment: &work.subject.environment,
                    scratch: &work.scratch,
                    installed: installed.as_ref(),
                    network,
                    actor: work.subject.actor.clone(),
                    project,
                };
                train(&training, line)
            });
            let trained = trained.await?;
            let failed = !trained.captured.record.exit.is_success();
            if let Some(stopped) = &trained.stopped {
                output.note(stopped);
            }
            if failed {
                output.note(format!("the command failed; its last lines:\n  {}", trained.last_lines.join("\n  ")));
            }
            done.trained.push(trained);
            if failed {
                break;
            }
        }
        Ok(())
    }

    async fn install(&self, args: &ReproduceArgs, output: &Output) -> Result<Installed, ReproduceFailure> {
        let work = self.clone();
        let choice = args.python.clone().map_or(PythonChoice::Find, PythonChoice::Given);
        let builds = if args.allow_builds { Builds::Allowed } else { Builds::Refused };
        let installed = watched(output, "packages".to_owned(), move |line| {
            let wanted = work.plan.interpreter.as_ref().expect("only called for plans with an interpreter");
            let base = find_interpreter(wanted, &choice)?;
            install(&work.plan, &work.subject.environment, &work.scratch, &base, builds, line)
        });
        let installed = installed.await?;
        output.note(view::reproduction::installed(&self.plan, &installed.differences));
        Ok(installed)
    }

    /// Sends what came out, and has it compared.
    async fn record(
        &self,
        session: &Session,
        args: &ReproduceArgs,
        missing: Vec<String>,
        done: Done,
        output: &Output,
    ) -> Result<Reproduced, Problem> {
        let store = self.scratch.store()?;
        let record = self.report(args, missing, &done);
        // nothing leaves before all of it was looked at
        self.search(&store, &record, args, &done, output).await?;
        for trained in &done.trained {
            session.ensure_content_of(&store, &contents(&store, trained, args)?, output).await?;
            if args.record {
                let (record, digest) = (trained.captured.record.clone(), trained.captured.record_digest);
                session.client.record_run(&session.project, &RecordRun { record, digest }).await?;
            }
        }
        let Subject { model, version, .. } = &*self.subject;
        session.client.record_reproduction(&session.project, model, version, &record).await
    }

    /// What is told of the trainings.
    fn report(&self, args: &ReproduceArgs, missing: Vec<String>, done: &Done) -> RecordReproduction {
        let trainings = done.trained.iter().map(|trained| TrainedAgain {
            exit: trained.captured.record.exit,
            wall_us: trained.wall_us(),
            model: trained.model,
            run: args.record.then_some(trained.captured.record.id),
        });
        let first = done.trained.first();
        RecordReproduction {
            required: args.at_least,
            inputs: self.plan.inputs_line(),
            missing,
            trainings: trainings.collect(),
            outputs: first.map(|trained| self.outputs(trained)).unwrap_or_default(),
            environment: first.map_or_else(|| done.installed.clone(), |trained| trained.differences.clone()),
            notes: self.plan.warnings.iter().chain(first.iter().flat_map(|one| &one.notes)).cloned().collect(),
        }
    }

    /// Looks for the caller's secrets in all that would be sent. If there is one, nothing is.
    async fn search(
        &self,
        store: &Store,
        report: &RecordReproduction,
        args: &ReproduceArgs,
        done: &Done,
        output: &Output,
    ) -> Result<(), Problem> {
        let mut texts = vec![("the report".to_owned(), serde_json::to_vec(report).map_err(internal)?)];
        let mut files = BTreeMap::new();
        for trained in &done.trained {
            files.extend(contents(store, trained, args)?.into_iter().map(|one| (one.digest, one.size)));
            if args.record {
                let record = serde_json::to_vec(&trained.captured.record).map_err(internal)?;
                texts.push(("the record of the run".to_owned(), record));
            }
        }
        let store = store.clone();
        let found = on_thread(move || {
            let secrets = secrets::of_caller()?;
            let search = Search::new(&secrets.found).map_err(internal)?;
            let mut found = BTreeSet::new();
            for (_, text) in &texts {
                found.extend(search.in_content(text.as_slice()).map_err(internal)?.into_iter().map(str::to_owned));
            }
            for digest in files.keys() {
                let content = store.open_blob(digest).map_err(stemma_workspace::WorkspaceError::from)?;
                found.extend(search.in_content(content).map_err(internal)?.into_iter().map(str::to_owned));
            }
            Ok(Searched { found, files: files.len(), secrets: search.len(), unread: secrets.unread })
        });
        let searched = found.await?;
        for unread in &searched.unread {
            output.note(format!("could not be read, so nothing was searched for what is in it: {unread}"));
        }
        if !searched.found.is_empty() {
            return Err(searched.refused());
        }
        output.note(searched.told());
        Ok(())
    }

    fn outputs(&self, trained: &Trained) -> Vec<RepeatedOutput> {
        repeated_outputs(&self.subject.run.record, &trained.captured.record)
    }
}

/// What came of a search for secrets.
struct Searched {
    found: BTreeSet<String>,
    files: usize,
    secrets: usize,
    unread: Vec<String>,
}

impl Searched {
    fn refused(&self) -> Problem {
        let names: Vec<&str> = self.found.iter().map(String::as_str).collect();
        let message = format!("what was repeated holds a secret of yours, so nothing was sent: {}", names.join(", "));
        Problem::new(ErrorKind::Refused, message)
            .hint("replace that secret, and look at the code: `--keep --into DIR` keeps what it wrote")
    }

    fn told(&self) -> String {
        let (files, secrets) = (view::count(self.files as u64, "file"), view::count(self.secrets as u64, "secret"));
        format!(
            "{files} and the report searched for {secrets} of yours, none found; what is compressed or encrypted can't be searched"
        )
    }
}

/// The contents of a training that are sent: its model, and with `--record` all that its record names.
fn contents(store: &Store, trained: &Trained, args: &ReproduceArgs) -> Result<Vec<ContentClaim>, Problem> {
    let mut contents = Vec::new();
    if let Some(model) = trained.model {
        let info = store.info(&model).map_err(stemma_workspace::WorkspaceError::from)?;
        contents.push(ContentClaim { digest: model, size: info.map_or(0, |info| info.size), like: None });
    }
    if args.record {
        let all = trained.captured.contents.iter();
        contents.extend(all.map(|content| ContentClaim { digest: content.digest, size: content.size, like: None }));
    }
    Ok(contents)
}

fn internal(error: impl std::fmt::Display) -> Problem {
    Problem::new(ErrorKind::Internal, error.to_string())
}

/// A planned file as the home names it.
fn content(file: &PlannedFile) -> Resolved {
    Resolved {
        name: file.path.clone(),
        kind: "content".to_owned(),
        digest: file.digest,
        sha256: None,
        size: file.size,
        file_name: file.path.clone(),
        is_folder: false,
    }
}

/// Does long work on a thread of its own while its last line is shown.
async fn watched<T: Send + 'static>(
    output: &Output,
    what: String,
    work: impl FnOnce(&(dyn Fn(&str) + Sync)) -> Result<T, ReproduceError> + Send + 'static,
) -> Result<T, ReproduceFailure> {
    let spinner = output.spinner();
    spinner.set_message(what.clone());
    let shown = spinner.clone();
    let done = tokio::task::spawn_blocking(move || {
        let line = move |line: &str| shown.set_message(format!("{what}: {}", crate::print::harmless(line)));
        work(&line)
    });
    let done = done.await;
    spinner.finish_and_clear();
    match done {
        Ok(result) => Ok(result?),
        Err(error) => Err(ReproduceFailure::Problem(Problem::new(ErrorKind::Internal, error.to_string()))),
    }
}

async fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Problem::new(ErrorKind::Internal, error.to_string()))?
}
