//! Where a remote is: read off its URL, with credentials from the environment only.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use object_store::{
    ObjectStore, RetryConfig,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
    azure::{AzureConfigKey, MicrosoftAzureBuilder},
    gcp::{GoogleCloudStorageBuilder, GoogleConfigKey},
    local::LocalFileSystem,
    multipart::MultipartStore,
};

use crate::{
    error::{RemoteError, Result},
    http::Connector,
};

/// What a remote's settings say; none of it is secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Target {
    pub url: String,
    /// Address of a server that speaks the same protocol as the cloud.
    pub endpoint: Option<String>,
    pub region: Option<String>,
    /// Allows transfers that others can read and change.
    pub allow_http: bool,
}

/// A place that holds content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    Folder(PathBuf),
    S3 {
        bucket: String,
        prefix: String,
    },
    Google {
        bucket: String,
        prefix: String,
    },
    Azure {
        container: String,
        prefix: String,
    },
    /// A Stemma server, which is spoken to in another way.
    Server(String),
}

pub(crate) struct Connected {
    pub store: Arc<dyn ObjectStore>,
    pub multipart: Option<Arc<dyn MultipartStore>>,
    pub prefix: String,
}

impl Location {
    /// Reads a URL or the path of a folder.
    pub fn parse(url: &str) -> Result<Self> {
        let refused = |reason: &str| RemoteError::Url { url: without_secrets(url), reason: reason.to_owned() };
        if url.is_empty() || url.contains(|c: char| c.is_control()) {
            return Err(refused("it is empty or malformed"));
        }
        let Some((scheme, rest)) = url.split_once("://") else {
            return Ok(Self::Folder(url.into()));
        };
        if scheme == "file" {
            return match rest.starts_with('/') {
                true => Ok(Self::Folder(rest.into())),
                false => Err(refused("a `file://` URL has an absolute path")),
            };
        }
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        if host.contains('@') {
            return Err(refused("it holds credentials, which would be kept in a file that is shared"));
        }
        if rest.contains(['?', '#']) {
            return Err(refused("it has a query, which might hold a signature"));
        }
        if host.is_empty() {
            return Err(refused("it names no bucket or host"));
        }
        let prefix = path.trim_matches('/').to_owned();
        if prefix.split('/').any(|part| part == "." || part == "..") {
            return Err(refused("its path is not plain"));
        }
        match scheme {
            "s3" | "s3a" => Ok(Self::S3 { bucket: host.to_owned(), prefix }),
            "gs" => Ok(Self::Google { bucket: host.to_owned(), prefix }),
            "az" | "azure" => Ok(Self::Azure { container: host.to_owned(), prefix }),
            "http" | "https" => Ok(Self::Server(url.trim_end_matches('/').to_owned())),
            _ => Err(refused("its scheme is not known")),
        }
    }

    /// Makes the object store's client. `environment` is where credentials come from; relative folders are seen from
    /// `here`, and made if `make` is set.
    pub(crate) fn connect(
        &self,
        target: &Target,
        environment: &Environment,
        here: &Path,
        make: bool,
    ) -> Result<Connected> {
        let failed =
            |error: object_store::Error| RemoteError::Settings { url: target.url.clone(), reason: error.to_string() };
        match self {
            Self::Folder(path) => folder(&here.join(path), make),
            Self::S3 { bucket, prefix } => {
                let store = Arc::new(s3(bucket, target, environment).build().map_err(failed)?);
                Ok(Connected { store: store.clone(), multipart: Some(store), prefix: prefix.clone() })
            }
            Self::Google { bucket, prefix } => {
                let store = Arc::new(google(bucket, target, environment).build().map_err(failed)?);
                Ok(Connected { store: store.clone(), multipart: Some(store), prefix: prefix.clone() })
            }
            Self::Azure { container, prefix } => {
                let store = Arc::new(azure(container, target, environment).build().map_err(failed)?);
                Ok(Connected { store: store.clone(), multipart: Some(store), prefix: prefix.clone() })
            }
            Self::Server(url) => Err(RemoteError::Url { url: url.clone(), reason: "it is a server's".to_owned() }),
        }
    }
}

/// Environment variables that a remote may read.
pub type Environment = [(String, String)];

/// What can be shown of a URL that was refused.
fn without_secrets(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let shown: String = match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
        _ => url.to_owned(),
    };
    shown.chars().filter(|c| !c.is_control()).collect()
}

fn folder(path: &Path, make: bool) -> Result<Connected> {
    use std::os::unix::fs::DirBuilderExt as _;
    let failed = |reason: String| RemoteError::Settings { url: path.display().to_string(), reason };
    if make {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|error| failed(error.to_string()))?;
    }
    if matches!(path.metadata(), Err(error) if error.kind() == std::io::ErrorKind::NotFound) {
        return Err(RemoteError::NotThere { folder: path.to_owned() });
    }
    let store = LocalFileSystem::new_with_prefix(path).map_err(|error| failed(error.to_string()))?;
    Ok(Connected { store: Arc::new(store.with_fsync(true)), multipart: None, prefix: String::new() })
}

/// Attempts are made in one place only, see `Policy`.
fn no_retries() -> RetryConfig {
    RetryConfig { max_retries: 0, ..RetryConfig::default() }
}

/// Variables of one cloud under the names that its client knows.
fn settings<'a, K: std::str::FromStr>(environment: &'a Environment, start: &str) -> Vec<(K, &'a String)> {
    let known = |(name, value): &'a (String, String)| {
        name.starts_with(start).then(|| name.to_ascii_lowercase().parse().ok()).flatten().map(|key| (key, value))
    };
    environment.iter().filter_map(known).collect()
}

fn s3(bucket: &str, target: &Target, environment: &Environment) -> AmazonS3Builder {
    let mut builder = AmazonS3Builder::new();
    for (key, value) in settings::<AmazonS3ConfigKey>(environment, "AWS_") {
        builder = builder.with_config(key, value);
    }
    if let Some(endpoint) = &target.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    if let Some(region) = &target.region {
        builder = builder.with_region(region);
    }
    builder
        .with_bucket_name(bucket)
        .with_allow_http(target.allow_http)
        .with_retry(no_retries())
        .with_http_connector(Connector { allow_http: target.allow_http })
}

fn google(bucket: &str, target: &Target, environment: &Environment) -> GoogleCloudStorageBuilder {
    let mut builder = GoogleCloudStorageBuilder::new();
    for (key, value) in settings::<GoogleConfigKey>(environment, "GOOGLE_") {
        builder = builder.with_config(key, value);
    }
    if let Some(endpoint) = &target.endpoint {
        builder = builder.with_config(GoogleConfigKey::BaseUrl, endpoint);
    }
    builder
        .with_bucket_name(bucket)
        .with_retry(no_retries())
        .with_http_connector(Connector { allow_http: target.allow_http })
}

fn azure(container: &str, target: &Target, environment: &Environment) -> MicrosoftAzureBuilder {
    let mut builder = MicrosoftAzureBuilder::new();
    for (key, value) in settings::<AzureConfigKey>(environment, "AZURE_") {
        builder = builder.with_config(key, value);
    }
    if let Some(endpoint) = &target.endpoint {
        builder = builder.with_endpoint(endpoint.clone());
    }
    builder
        .with_container_name(container)
        .with_allow_http(target.allow_http)
        .with_retry(no_retries())
        .with_http_connector(Connector { allow_http: target.allow_http })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_off_their_urls() {
        let named = |text: &str| (text.to_owned(), "a/b".to_owned());
        let (bucket, prefix) = named("data");
        assert_eq!(Location::parse("s3://data/a/b/").unwrap(), Location::S3 { bucket, prefix });
        let (bucket, prefix) = named("data");
        assert_eq!(Location::parse("gs://data/a/b").unwrap(), Location::Google { bucket, prefix });
        let (container, prefix) = named("data");
        assert_eq!(Location::parse("az://data/a/b").unwrap(), Location::Azure { container, prefix });
        assert_eq!(Location::parse("file:///srv/data").unwrap(), Location::Folder("/srv/data".into()));
        assert_eq!(Location::parse("../team").unwrap(), Location::Folder("../team".into()));
        assert_eq!(Location::parse("https://a.b:8/").unwrap(), Location::Server("https://a.b:8".into()));
    }

    #[test]
    fn secrets_and_nonsense_are_refused_and_not_repeated() {
        for url in ["s3://key:hunter2@bucket", "az://c/p?sig=hunter2", "https://user:hunter2@host/", "s3a://b#hunter2"]
        {
            let error = Location::parse(url).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
        for url in ["", "s3://", "s3://b/../c", "ftp://host/x", "file://relative", "a\nb"] {
            assert!(Location::parse(url).is_err(), "{url:?}");
        }
    }

    #[test]
    fn only_a_cloud_s_own_variables_reach_its_client() {
        let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let environment = [
            variable("AWS_ACCESS_KEY_ID", "id"),
            variable("AWS_REGION", "eu-1"),
            variable("AWS_NO_SUCH_THING", "x"),
            variable("PATH", "/bin"),
        ];
        let found = settings::<AmazonS3ConfigKey>(&environment, "AWS_");
        assert_eq!(found.len(), 2);
        let builder = s3("b", &Target { region: Some("own".to_owned()), ..Target::default() }, &environment);
        assert_eq!(builder.get_config_value(&AmazonS3ConfigKey::Region).as_deref(), Some("own"));
        assert_eq!(builder.get_config_value(&AmazonS3ConfigKey::AccessKeyId).as_deref(), Some("id"));
    }
}
