//! Which packages environments have.

use stemma_core::{Digest, name::ProjectName};

use crate::{
    Ledger, LedgerError,
    sql::{Session, Value},
};

/// Packages written by one statement.
const PACKAGES_CHUNK: usize = 5000;
/// Environments found for one package.
const ENVIRONMENTS_MAX: i64 = 10_000;

impl Ledger {
    /// Whether the packages of an environment were kept.
    pub async fn has_packages(&self, project: &ProjectName, environment: Digest) -> Result<bool, LedgerError> {
        let sql = "SELECT name FROM environment_package WHERE project = $1 AND environment = $2 LIMIT 1";
        let values = [Value::Text(project.to_string()), Value::Text(environment.to_string())];
        Ok(self.read().await?.row(sql, &values).await?.is_some())
    }

    /// Keeps which packages (name, version) an environment has.
    pub async fn insert_packages(
        &self,
        project: &ProjectName,
        environment: Digest,
        packages: &[(String, String)],
    ) -> Result<(), LedgerError> {
        let of = [Value::Text(project.to_string()), Value::Text(environment.to_string())];
        let packages = packages.to_vec();
        self.write(move |tx| Box::pin(async move { insert_packages(&mut tx.session, of, &packages).await })).await
    }

    /// Environments that have a package, with its version there, newest version text last.
    pub async fn environments_with(
        &self,
        project: &ProjectName,
        name: &str,
        version: Option<&str>,
    ) -> Result<Vec<(String, Digest)>, LedgerError> {
        let mut sql =
            "SELECT version, environment FROM environment_package WHERE project = $1 AND name = $2".to_owned();
        let mut values = vec![Value::Text(project.to_string()), name.into()];
        if let Some(version) = version {
            sql.push_str(" AND version = $3");
            values.push(version.into());
        }
        sql.push_str(&format!(" ORDER BY version, environment LIMIT {ENVIRONMENTS_MAX}"));
        let rows = self.read().await?.rows(&sql, &values).await?;
        rows.iter().map(|row| Ok((row.text("version")?, row.parsed("environment")?))).collect()
    }
}

/// `of` is project and environment.
async fn insert_packages(
    session: &mut Session,
    of: [Value; 2],
    packages: &[(String, String)],
) -> Result<(), LedgerError> {
    let sql = format!(
        "INSERT INTO environment_package (project, environment, name, version) \
         SELECT $1, $2, list.value->>0, list.value->>1 FROM {} WHERE true \
         ON CONFLICT (project, name, version, environment) DO NOTHING",
        session.list_at(3)
    );
    let [project, environment] = of;
    for chunk in packages.chunks(PACKAGES_CHUNK) {
        let values = [project.clone(), environment.clone(), Value::list(chunk)?];
        session.execute(&sql, &values).await?;
    }
    Ok(())
}
