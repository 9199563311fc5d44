//! An open home with what is live of it.

use std::{
    path::Path,
    sync::{Arc, OnceLock},
};

use stemma_core::{Clock, Problem, endpoint::prediction::PredictionKey, name::PrincipalName};
use stemma_engine::{DatabaseUrl, Engine, HomeOptions, Known};
use stemma_gateway::{AccessLog, FeedbackLog, Gateway, LogOptions, PredictionLog};

use crate::{
    access::gateway_access, problem::log_problem, reported::ReportedIds, turns::Turns, unsealable::Unsealable,
};

/// What was last found of whether the home can take what is asked of it, and when it was found.
pub(crate) type Readiness = tokio::sync::Mutex<Option<(std::time::Instant, Result<(), Problem>)>>;

/// A home and what is live of it. Cheap to clone; all clones are the same home.
#[derive(Clone)]
pub struct Delivery(Arc<Inner>, Option<Known>);

struct Inner {
    engine: Engine,
    log: PredictionLog,
    feedback: FeedbackLog,
    feedback_turns: Turns,
    sealing_feedback: tokio::sync::Mutex<()>,
    unsealable_feedback: Unsealable,
    reported: tokio::sync::Mutex<ReportedIds>,
    clock: Arc<dyn Clock>,
    access_log: OnceLock<AccessLog>,
    sealing_access: tokio::sync::Mutex<()>,
    gateway: Arc<Gateway>,
    prediction_key: PredictionKey,
    readiness: Readiness,
}

impl Delivery {
    /// Makes a home in a folder; returns it and its owner's token, which is kept nowhere.
    pub async fn create(root: &Path, owner: PrincipalName, clock: Arc<dyn Clock>) -> Result<(Self, String), Problem> {
        Self::create_in(root, None, owner, clock).await
    }

    /// The same, with the ledger in a database.
    pub async fn create_in(
        root: &Path,
        database: Option<DatabaseUrl>,
        owner: PrincipalName,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, String), Problem> {
        let (engine, token) = Engine::create_in(root, database, owner, clock.clone()).await?;
        Ok((Self::over(engine, clock)?, token))
    }

    /// Opens a home. The caller holds its lock.
    pub async fn open(root: &Path, clock: Arc<dyn Clock>) -> Result<Self, Problem> {
        Self::open_with(root, clock, HomeOptions::default()).await
    }

    /// The same, with what lies around the home.
    pub async fn open_with(root: &Path, clock: Arc<dyn Clock>, around: HomeOptions) -> Result<Self, Problem> {
        Self::over(Engine::open_with(root, clock.clone(), around).await?, clock)
    }

    fn over(engine: Engine, clock: Arc<dyn Clock>) -> Result<Self, Problem> {
        let layout = engine.known().layout();
        let prediction_key = layout.prediction_key()?;
        let log =
            PredictionLog::open(&layout.predictions(), prediction_key.clone(), clock.clone(), LogOptions::default());
        let log = log.map_err(log_problem)?;
        let feedback =
            FeedbackLog::open(&layout.feedback(), prediction_key.clone(), clock.clone(), LogOptions::default());
        let feedback = feedback.map_err(log_problem)?;
        for (name, recovered) in [("prediction", log.recovered()), ("feedback", feedback.recovered())] {
            for segment in recovered.iter().filter(|segment| segment.damage.is_some()) {
                let segment = format!("{:016x}", segment.segment);
                tracing::error!(segment, "a segment of the {name} log is damaged");
            }
        }
        let gateway = Arc::new(Gateway::new(log.clone(), clock.clone()));
        let listener = Arc::downgrade(&gateway);
        // with the routes as they are: to load models for new ones takes its time
        engine.on_access(move |table| {
            if let Some(gateway) = listener.upgrade() {
                gateway.live().let_in(gateway_access(table));
            }
        });
        Ok(Self(
            Arc::new(Inner {
                engine,
                log,
                feedback,
                feedback_turns: Turns::default(),
                sealing_feedback: tokio::sync::Mutex::default(),
                unsealable_feedback: Unsealable::default(),
                reported: tokio::sync::Mutex::default(),
                clock,
                access_log: OnceLock::new(),
                sealing_access: tokio::sync::Mutex::default(),
                gateway,
                prediction_key,
                readiness: Readiness::default(),
            }),
            None,
        ))
    }

    /// Acts on what is not live.
    pub fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// What the home knows, now or at the moment that is asked about.
    pub fn known(&self) -> &Known {
        self.1.as_ref().unwrap_or(self.engine().known())
    }

    /// The same for questions about what was known at a moment. Acts are on what is now.
    pub fn asked_of(&self, known: Known) -> Self {
        Self(self.0.clone(), Some(known))
    }

    pub fn gateway(&self) -> &Gateway {
        &self.0.gateway
    }

    pub(crate) fn log(&self) -> &PredictionLog {
        &self.0.log
    }

    pub(crate) fn feedback_log(&self) -> &FeedbackLog {
        &self.0.feedback
    }

    pub(crate) fn feedback_turns(&self) -> &Turns {
        &self.0.feedback_turns
    }

    /// Held by whoever seals feedback: two at once would seal the same twice.
    pub(crate) fn sealing_feedback(&self) -> &tokio::sync::Mutex<()> {
        &self.0.sealing_feedback
    }

    pub(crate) fn unsealable_feedback(&self) -> &Unsealable {
        &self.0.unsealable_feedback
    }

    /// Held by whoever records reports: what is recorded already must not change meanwhile.
    pub(crate) fn reported_ids(&self) -> &tokio::sync::Mutex<ReportedIds> {
        &self.0.reported
    }

    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        self.0.clock.clone()
    }

    /// Open once somebody needs it: a command that neither serves nor asks for it leaves it alone.
    pub(crate) fn access_log_once(&self) -> &OnceLock<AccessLog> {
        &self.0.access_log
    }

    /// Held by whoever seals the access log.
    pub(crate) fn sealing_access(&self) -> &tokio::sync::Mutex<()> {
        &self.0.sealing_access
    }

    pub(crate) fn prediction_key(&self) -> &PredictionKey {
        &self.0.prediction_key
    }

    pub(crate) fn readiness(&self) -> &Readiness {
        &self.0.readiness
    }
}
