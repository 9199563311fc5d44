mod signature;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use stemma_api::types::{ContentClaim, GivenNames, ModelVersion, RegisterVersion, Registered};
use stemma_core::{
    ErrorKind, Problem,
    id::RunId,
    look::{ModelFormat, Nature},
    name::{ModelName, TreePath, VersionLabel},
    signature::Signature,
    version::{Claims, Naming, SemverName},
};
use stemma_workspace::{WorkspaceError, keep_folder};

use crate::{
    answered::{self, Prepared, Subject},
    declared,
    global::Global,
    print::Output,
    session::{self, Session, blocking},
    view::evaluation,
};

/// Imports that are named one by one.
const LINES_SHOWN: usize = 3;

/// Register a file or folder as a version of a model
///
/// Anything can be a version: its format, and whether loading it would run code, is told from its bytes, and nothing is
/// run. The home evaluates what it can as the model declares, compares it with the reference version on the same rows, and
/// decides the number: MAJOR if the data contract broke, MINOR if it is shown to be better, else PIPELINE.
#[derive(Debug, Args)]
pub struct RegisterArgs {
    /// The model; made if it does not exist
    model: ModelName,
    /// The model's file or folder
    path: PathBuf,
    /// The run that made it; without it, the newest run that wrote this content
    #[arg(long, value_name = "ID")]
    run: Option<RunId>,
    /// A file with the signature of a model that states none itself, in TOML or JSON; without it, that of stemma.toml
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
    /// A parameter of a model that was made elsewhere; kept as declared
    #[arg(long = "param", value_name = "NAME=VALUE")]
    params: Vec<String>,
    /// A metric of a model that was made elsewhere; kept as declared, it decides nothing
    #[arg(long = "metric", value_name = "NAME=NUMBER")]
    metrics: Vec<String>,
    /// What the version is called too, by Semantic Versioning, as in `1.4.0`; it stays, and names no other
    #[arg(long, value_name = "MAJOR.MINOR.PATCH")]
    semver: Option<SemverName>,
    /// What the version is called too, in words of your own; it stays, and names no other
    #[arg(long, value_name = "NAME")]
    label: Option<VersionLabel>,
}

pub async fn run(args: RegisterArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let claims = claimed(&args.params, &args.metrics)?;
    let signature = args.signature.as_deref().map(signature::read).transpose()?;
    let names = GivenNames { semver: args.semver.clone(), label: args.label.clone() };
    let said = Said { claims, signature, names };
    let brought = session::with(global, async |session| bring(&args, said, session, output).await).await?;
    let registered = register(&args.model, brought, global, output).await?;
    output.result(&registered, || text(&registered, output));
    Ok(ExitCode::SUCCESS)
}

/// What the home needs of a version: the registration, and what a command has to answer first, if it needs one.
type Brought = (RegisterVersion, Option<Prepared>);

/// Registers what was brought to the home.
async fn register(
    model: &ModelName,
    (mut register, question): Brought,
    global: &Global,
    output: &Output,
) -> Result<Registered, Problem> {
    if let Some(question) = question {
        evaluate_lacking(&question, model, global, output).await?;
        register.answers = Some(answered::answers(question, global, output).await?);
    }
    session::with(global, async |session| session.client.register(&session.project, model, &register).await).await
}

/// Registers what a run wrote, as the run recorded it.
pub async fn register_output(
    model: &ModelName,
    written: RegisterVersion,
    global: &Global,
    output: &Output,
) -> Result<Registered, Problem> {
    let brought = session::with(global, async |session| {
        bring_policy_up_to_date(session, model, output).await?;
        let subject = Subject {
            model: model.clone(),
            name: written.file_name.clone(),
            digest: written.digest,
            file_name: written.file_name.clone(),
        };
        let question = answered::prepare(session, subject, output).await?;
        Ok((written, question))
    });
    register(model, brought.await?, global, output).await
}

/// What the caller says about the version.
struct Said {
    claims: Option<Claims>,
    signature: Option<Signature>,
    names: GivenNames,
}

/// Brings rules and content to the home; what is returned lacks what a command has to answer, if one is needed.
async fn bring(args: &RegisterArgs, said: Said, session: &Session, output: &Output) -> Result<Brought, Problem> {
    let place = fs::canonicalize(&args.path)
        .map_err(|error| Problem::not_found(format!("`{}` can't be read: {error}", args.path.display())))?;
    let file_name = args.path.file_name().or(place.file_name()).and_then(|name| name.to_str()).map(str::to_owned);
    let file_name =
        file_name.ok_or_else(|| Problem::invalid(format!("`{}` is not the path of a model", args.path.display())))?;
    bring_policy_up_to_date(session, &args.model, output).await?;
    let content = match place.is_dir() {
        true => put_folder(&place, session, output)?,
        false => put_file(&place, session).await?,
    };
    let digest = content.digest;
    session.ensure_content(&[content], output).await?;
    let (path, workspace) = match &session.workspace {
        Some(workspace) => (Some(workspace.shown_path(&args.path)?), Some(workspace.id()?)),
        None => (None, None),
    };
    let Said { claims, signature, names } = said;
    let subject = Subject { model: args.model.clone(), name: file_name.clone(), digest, file_name: file_name.clone() };
    let question = answered::prepare(session, subject, output).await?;
    let register = RegisterVersion {
        run: args.run,
        path,
        workspace,
        signature,
        claims,
        names,
        ..RegisterVersion::new(digest, file_name)
    };
    Ok((register, question))
}

/// Earlier versions that nobody has an evaluation of are asked first: without it nothing can be shown to be better.
async fn evaluate_lacking(
    question: &Prepared,
    model: &ModelName,
    global: &Global,
    output: &Output,
) -> Result<(), Problem> {
    for version in &question.question.lacking {
        match evaluate_earlier(version, model, global, output).await {
            Ok(()) => {}
            // a version that can't be asked any more is no reason not to register another: the number's reason will tell
            Err(problem) if is_its_own(&problem) => {
                output.note(format!("note: {} could not be evaluated: {}", version.name(), problem.message));
            }
            Err(problem) => return Err(problem),
        }
    }
    Ok(())
}

/// Whether a problem is one of the version that is asked, rather than of the home or of who asks.
const fn is_its_own(problem: &Problem) -> bool {
    matches!(problem.kind, ErrorKind::Invalid | ErrorKind::NotFound | ErrorKind::Gone | ErrorKind::TooLarge)
}

async fn evaluate_earlier(
    version: &ModelVersion,
    model: &ModelName,
    global: &Global,
    output: &Output,
) -> Result<(), Problem> {
    let subject = Subject {
        model: model.clone(),
        name: version.name(),
        digest: version.digest,
        file_name: version.file_name.clone(),
    };
    let prepared = session::with(global, async |session| answered::prepare(session, subject, output).await).await?;
    let Some(prepared) = prepared else { return Ok(()) };
    let answers = answered::answers(prepared, global, output).await?;
    let number = version.number.to_string();
    let evaluated = session::with(global, async |session| {
        session.client.evaluate_answers(&session.project, model, &number, &answers).await
    });
    evaluated.await.map(drop)
}

async fn put_file(path: &Path, session: &Session) -> Result<ContentClaim, Problem> {
    let (store, path) = (session.store()?.clone(), path.to_owned());
    let info = blocking(move || store.put_file(&path)).await?;
    Ok(ContentClaim { digest: info.digest, size: info.size, like: None })
}

fn put_folder(path: &Path, session: &Session, output: &Output) -> Result<ContentClaim, Problem> {
    let store = session.store()?;
    let home = store.root().parent().unwrap_or(store.root());
    let bar = output.progress(0, "reading");
    let (mut current, mut before) = (None, 0);
    let mut progress = |path: &TreePath, done| {
        if current.as_ref() != Some(path) {
            before = bar.position();
            current = Some(path.clone());
        }
        bar.set_position(before + done);
        bar.set_length(bar.position());
    };
    // nothing else happens in this process meanwhile
    let kept = tokio::task::block_in_place(|| keep_folder(home, path, store, &mut progress));
    bar.finish_and_clear();
    let kept = kept.map_err(WorkspaceError::from)?;
    Ok(ContentClaim { digest: kept.digest, size: kept.size, like: None })
}

/// Reads `--param` and `--metric`; `None` if there is neither.
fn claimed(params: &[String], metrics: &[String]) -> Result<Option<Claims>, Problem> {
    let mut claims = Claims::default();
    for text in params {
        let (name, value) = pair("--param", text)?;
        once("param", name, claims.params.insert(name.to_owned(), value.to_owned()).is_none())?;
    }
    for text in metrics {
        let (name, value) = pair("--metric", text)?;
        let number = value.parse().map_err(|_| Problem::invalid(format!("metric `{name}`: `{value}` is no number")))?;
        once("metric", name, claims.metrics.insert(name.to_owned(), number).is_none())?;
    }
    claims.check()?;
    Ok((!claims.is_empty()).then_some(claims))
}

fn pair<'t>(option: &str, text: &'t str) -> Result<(&'t str, &'t str), Problem> {
    text.split_once('=').ok_or_else(|| {
        Problem::invalid(format!("`{option} {text}` has no value")).hint(format!("write `{option} NAME=VALUE`"))
    })
}

fn once(what: &str, name: &str, is_new: bool) -> Result<(), Problem> {
    if is_new { Ok(()) } else { Err(Problem::invalid(format!("{what} `{name}` is given twice"))) }
}

/// A version is judged by the rules that the workspace declares, so they must hold at home first.
async fn bring_policy_up_to_date(session: &Session, model: &ModelName, output: &Output) -> Result<(), Problem> {
    let Some(declared) = declared::policy(session, model, output).await? else {
        return Ok(());
    };
    if let Some(current) = declared::current(session, model).await?
        && declared.is_held_by(&current)?
    {
        return Ok(());
    }
    match declared::apply(session, model, declared).await {
        Ok(state) if state.changed => {
            output.note(format!("the rules of `{model}` in stemma.toml changed and hold from now on"));
            Ok(())
        }
        Ok(_) => Ok(()),
        Err(problem) if matches!(problem.kind, ErrorKind::Unauthenticated | ErrorKind::Forbidden) => {
            let message =
                format!("the rules of `{model}` in stemma.toml differ from those that hold: {}", problem.message);
            Err(Problem::new(problem.kind, message).hint(format!(
                "let an owner run `stemma policy apply {model}`, or set STEMMA_TOKEN to an owner's token"
            )))
        }
        Err(problem) => Err(problem),
    }
}

fn text(registered: &Registered, output: &Output) -> String {
    let version = &registered.version;
    let given = [Naming::Semver, Naming::Label].into_iter().filter_map(|naming| version.names.get(&naming));
    let also: String = given.map(|name| format!(", `{name}`")).collect();
    let name = format!("{}{also}", output.bold(version.name()));
    let mut text = if registered.unchanged {
        format!("{name}  (unchanged: the same content from the same facts; {})", version.reason)
    } else {
        format!("{name}  ({})", version.reason)
    };
    if let Some(look) =
        version.look.as_ref().filter(|look| (look.format, look.nature) != (ModelFormat::Onnx, Nature::Data))
    {
        text.push_str(&format!("\n{} is {}: {}", version.file_name, look.format.described(), look.told(LINES_SHOWN)));
    }
    if let Some(behaviour) = &registered.behaves_as {
        text.push_str(&format!("\n{}", behaviour.told()));
    }
    if let Some(why) = &registered.behaviour_unknown {
        text.push_str(&format!("\nwhether it behaves as an earlier version is not known: {why}"));
    }
    if let Some(report) = &registered.evaluation {
        text.push_str(&format!("\n{}\n\n{}", evaluation::headline(report), evaluation::table(report)));
    }
    text
}
