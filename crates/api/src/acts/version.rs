//! Versions of models, and everything on their way to production. Where a path names a version, it is a number, a name,
//! an alias or a stage.

use stemma_core::name::{ModelName, ProjectName};

use crate::types::*;

acts! {
    REGISTER as register: POST /projects/{project: ProjectName}/models/{model: ModelName}/versions,
        RegisterVersion => Registered,
        Register in Project, Heavy, "register content as a version; the number is decided";
    NAME as name_version:
        POST /projects/{project: ProjectName}/models/{model: ModelName}/versions/{version: String}/names,
        GivenNames => ModelVersion,
        Register in Project, Ordinary, "give a version names beside its number, once and for ever";
    SHOW as version: GET /projects/{project: ProjectName}/models/{model: ModelName}/versions/{version: String}
        => VersionDetail,
        Read in Project at any time, Ordinary, "a version with its run, evidence and approvals";
    EVALUATE as evaluate: POST /projects/{project: ProjectName}/models/{model: ModelName}/versions/{version: String}/evaluate
        => Evaluated,
        Track in Project, Heavy, "evaluate a version as its model declares";
    ASK as evaluation_question: POST /projects/{project: ProjectName}/models/{model: ModelName}/question,
        AskQuestion => Asked,
        Track in Project, Heavy, "the rows that a command must answer before content can be judged";
    ANSWER as evaluate_answers:
        POST /projects/{project: ProjectName}/models/{model: ModelName}/versions/{version: String}/answers,
        CommandAnswers => Evaluated,
        Track in Project, Heavy, "judge what a command answered about a version";
    VALIDATE as validate: POST /projects/{project: ProjectName}/models/{model: ModelName}/versions/{version: String}/validate
        => Validated,
        Track in Project, Heavy, "ask a version in a sandbox and record whether it is blessed";
    RUN_GATES as run_gates: POST /projects/{project: ProjectName}/models/{model: ModelName}/versions/{version: String}/gates,
        RunGates => GateResults,
        Track in Project, Heavy, "run a version's gates";
    GATES as gate_standings: GET /projects/{project: ProjectName}/models/{model: ModelName}/versions/{version: String}/gates
        => GateStandings,
        Read in Project at any time, Ordinary, "how a version stands with its gates";
    RUN_CASES as run_cases: POST /projects/{project: ProjectName}/models/{model: ModelName}/versions/{version: String}/cases,
        RunCases => CaseResults,
        Track in Project, Heavy, "run regression cases through a version, recording nothing";
    APPROVE as approve: POST /projects/{project: ProjectName}/models/{model: ModelName}/versions/{version: String}/approve,
        Approve => Approval,
        Approve in Project, Ordinary, "approve a version for a stage";
    PROMOTE as promote: POST /projects/{project: ProjectName}/models/{model: ModelName}/versions/{version: String}/promote,
        Promote => Promoted,
        Promote in Project, Ordinary, "move a version to a stage";
    REPRODUCTIONS as reproductions:
        GET /projects/{project: ProjectName}/models/{model: ModelName}/versions/{version: String}/reproductions
        ? Paging<u64> => Page<Reproduced>,
        Read in Project at any time, Ordinary, "how equal a version came out when it was trained again";
    /// Records how equal a version came out when it was trained again.
    REPRODUCE as record_reproduction:
        POST /projects/{project: ProjectName}/models/{model: ModelName}/versions/{version: String}/reproductions,
        RecordReproduction => Reproduced,
        Track in Project, Heavy, "record that a version was trained again; how equal it is, is decided here";
    COMPARE as compare: GET /projects/{project: ProjectName}/compare ? Sides => VersionComparison,
        Read in Project at any time, Heavy, "two versions side by side, `?a=model@version&b=model@version`";
    COMPARE_SEVERAL as compare_several: GET /projects/{project: ProjectName}/comparison ? Several => VersionTable,
        Read in Project at any time, Heavy, "many versions side by side, by what their evaluations found";
}
