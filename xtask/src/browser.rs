//! A real browser, driven as a person would: links clicked, fields filled, the page's text read, what is seen kept as a picture.
//!
//! Debian's Chromium over the WebDriver protocol; nothing of the user's own browser is seen or touched.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use crate::http::{Answer, Connection};

/// No window, nothing fetched but what is asked for, nothing remembered.
const FLAGS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
];
/// What the driver says when it listens; the port stands behind.
const LISTENS: &str = "started successfully on port ";
/// What can be clicked at once: the list of projects in the head has to be opened first.
const LINKS: &str = "(//nav | //main)//a";
/// How long a page may take; less than what a connection waits.
const PAGE_MS_MAX: u64 = 20_000;
/// Of pictures, in pixels, and what the window needs besides.
const WIDTH: u64 = 1280;
const HEIGHT_MIN: u64 = 600;
const HEIGHT_MAX: u64 = 3000;
const FRAME: u64 = 150;
/// By which the protocol names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with one window; it does not outlive this value.
pub struct Browser {
    driver: Child,
    /// Kept open: a driver whose output nobody can read might stop.
    _stdout: BufReader<ChildStdout>,
    connection: Connection,
    session: String,
    site: String,
    pictures: PathBuf,
    taken: usize,
}

impl Browser {
    /// Starts a browser at a site. What it keeps lies below `folder`, with the pictures.
    pub fn start(site: SocketAddr, folder: &Path) -> Result<Self> {
        let pictures = folder.join("pictures");
        fs::create_dir_all(&pictures).with_context(|| format!("can't make `{}`", pictures.display()))?;
        let log = File::create(folder.join("chromedriver.log")).context("no log of the browser")?;
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut driver = command.spawn().context("can't run `chromedriver`")?;
        let stdout = driver.stdout.take().context("the browser's driver has no output")?;
        let mut stdout = BufReader::new(stdout);
        let connection = listening(&mut stdout).and_then(|address| Ok(Connection::open(address)?));
        let mut browser = Self {
            driver,
            connection: connection.context("the browser's driver does not listen")?,
            _stdout: stdout,
            session: String::new(),
            site: format!("http://{site}"),
            pictures,
            taken: 0,
        };
        let profile = folder.join("profile");
        let flags: Vec<String> = FLAGS
            .iter()
            .map(|flag| (*flag).to_owned())
            .chain([format!("--user-data-dir={}", profile.display())])
            .collect();
        let wanted = json!({"capabilities": {"alwaysMatch": {"goog:chromeOptions": {"args": flags}}}});
        let opened = value(browser.connection.post("/session", &wanted.to_string())?)?;
        browser.session = opened["sessionId"].as_str().context("the browser has no session")?.to_owned();
        Ok(browser)
    }

    /// Goes to an address of the site, as by typing it.
    pub fn go(&mut self, path: &str) -> Result<()> {
        let url = format!("{}{path}", self.site);
        self.act("url", &json!({ "url": url })).map(drop)
    }

    /// Where it is now, without the site.
    pub fn path(&mut self) -> Result<String> {
        let url = self.look("url")?;
        let url = url.as_str().context("the page has no address")?;
        Ok(url.strip_prefix(&self.site).unwrap_or(url).to_owned())
    }

    /// The text of the page as a person sees it.
    pub fn text(&mut self) -> Result<String> {
        let body = self.find("//body")?;
        self.text_of(&body)
    }

    /// The text of each row of the page's tables in which some text stands.
    pub fn rows_with(&mut self, part: &str) -> Result<Vec<String>> {
        let rows = self.act("elements", &json!({"using": "xpath", "value": format!("//tr[contains(., '{part}')]")}))?;
        let rows = rows.as_array().context("the browser lists no rows")?.clone();
        rows.iter().map(|row| self.text_of(row[ELEMENT].as_str().context("a row has no name")?)).collect()
    }

    /// The verdict of a page: the text of the first badge in its main part.
    pub fn badge(&mut self) -> Result<String> {
        let badge = self.find("//main//*[contains(@class, 'badge')]")?;
        self.text_of(&badge)
    }

    /// Clicks the first link with this text.
    pub fn follow(&mut self, text: &str) -> Result<()> {
        let link = self.find(&format!("{LINKS}[normalize-space(.)='{text}']"))?;
        self.leave_by(&link)
    }

    /// Clicks the first link with this text in the row of a table in which something stands.
    pub fn follow_in_row(&mut self, row: &str, text: &str) -> Result<()> {
        let link = self.find(&format!("//tr[contains(., '{row}')]//a[normalize-space(.)='{text}']"))?;
        self.leave_by(&link)
    }

    /// Whether there is a link with this text.
    pub fn has_link(&mut self, text: &str) -> Result<bool> {
        let found =
            self.act("elements", &json!({"using": "xpath", "value": format!("{LINKS}[normalize-space(.)='{text}']")}))?;
        Ok(found.as_array().is_some_and(|found| !found.is_empty()))
    }

    /// Puts a text into the field of this name, in the place of what stands there.
    pub fn fill(&mut self, field: &str, text: &str) -> Result<()> {
        let field = self.find(&format!("//main//input[@name='{field}' and not(@type='hidden')]"))?;
        self.act(&format!("element/{field}/clear"), &json!({}))?;
        self.act(&format!("element/{field}/value"), &json!({ "text": text })).map(drop)
    }

    /// Chooses from the list of this name.
    pub fn choose(&mut self, list: &str, option: &str) -> Result<()> {
        let option = self.find(&format!("//select[@name='{list}']/option[normalize-space(.)='{option}']"))?;
        self.click(&option)
    }

    /// Presses the first button with this text.
    pub fn press(&mut self, text: &str) -> Result<()> {
        let button = self.find(&format!("//button[normalize-space(.)='{text}']"))?;
        self.leave_by(&button)
    }

    /// Presses the button of the form that has this field.
    pub fn submit(&mut self, field: &str) -> Result<()> {
        let button = self.find(&format!("//form[.//input[@name='{field}']]//button"))?;
        self.leave_by(&button)
    }

    /// Keeps what is seen, the whole length of the page as far as it is not endless; returns where.
    pub fn picture(&mut self, name: &str) -> Result<PathBuf> {
        // a page is never lower than its window
        self.act("window/rect", &json!({"width": WIDTH, "height": HEIGHT_MIN}))?;
        let script = "return document.documentElement.scrollHeight";
        let height = self.act("execute/sync", &json!({"script": script, "args": []}))?;
        let height = height.as_u64().context("the page has no height")?.clamp(HEIGHT_MIN, HEIGHT_MAX);
        self.act("window/rect", &json!({"width": WIDTH, "height": height + FRAME}))?;
        let picture = self.look("screenshot")?;
        let picture = picture.as_str().context("the browser shows nothing")?;
        let picture = data_encoding::BASE64.decode(picture.as_bytes()).context("the picture is not base64")?;
        self.taken += 1;
        let path = self.pictures.join(format!("{:02}-{name}.png", self.taken));
        fs::write(&path, picture).with_context(|| format!("can't write `{}`", path.display()))?;
        Ok(path)
    }

    pub fn pictures(&self) -> &Path {
        &self.pictures
    }

    /// Ends it, and fails if it does not end well.
    pub fn stop(mut self) -> Result<()> {
        value(self.connection.delete(&format!("/session/{}", self.session))?)?;
        Ok(())
    }

    fn find(&mut self, xpath: &str) -> Result<String> {
        let found = self.act("element", &json!({"using": "xpath", "value": xpath}));
        let found = match found {
            Ok(found) => found,
            Err(error) => bail!("`{}` has no {xpath}: {error:#}", self.path()?),
        };
        Ok(found[ELEMENT].as_str().context("an element has no name")?.to_owned())
    }

    /// Clicks what leads to another page, and waits until that is there: the old one is marked, and the driver looks for one
    /// that is not.
    fn leave_by(&mut self, element: &str) -> Result<()> {
        let mark = "document.documentElement.setAttribute('data-left', '')";
        self.act("execute/sync", &json!({"script": mark, "args": []}))?;
        self.click(element)?;
        self.act("timeouts", &json!({ "implicit": PAGE_MS_MAX }))?;
        let arrived = self.find("//html[not(@data-left)]");
        self.act("timeouts", &json!({"implicit": 0}))?;
        arrived.context("no other page came")?;
        Ok(())
    }

    fn click(&mut self, element: &str) -> Result<()> {
        self.act(&format!("element/{element}/click"), &json!({})).map(drop)
    }

    fn text_of(&mut self, element: &str) -> Result<String> {
        let text = self.look(&format!("element/{element}/text"))?;
        Ok(text.as_str().context("an element has no text")?.to_owned())
    }

    fn act(&mut self, command: &str, body: &Value) -> Result<Value> {
        value(self.connection.post(&format!("/session/{}/{command}", self.session), &body.to_string())?)
    }

    fn look(&mut self, command: &str) -> Result<Value> {
        value(self.connection.get(&format!("/session/{}/{command}", self.session))?)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // the driver takes its browser with it; both calls fail if it has ended already, which is what is wanted
        let _ = self.connection.delete(&format!("/session/{}", self.session));
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// Waits until the driver says where it listens.
fn listening(stdout: &mut impl std::io::BufRead) -> Result<SocketAddr> {
    for line in stdout.lines() {
        let line = line?;
        if let Some((_, port)) = line.split_once(LISTENS) {
            let port: u16 = port.trim_end_matches('.').parse().with_context(|| format!("no port in `{line}`"))?;
            return Ok(SocketAddr::from(([127, 0, 0, 1], port)));
        }
    }
    bail!("`chromedriver` ended without a word of where it listens")
}

/// What the driver answered, or why it did not do it.
fn value(answer: Answer) -> Result<Value> {
    let mut body = answer.json();
    ensure!(answer.status == 200, "the browser answered {}: {}", answer.status, body["value"]["message"]);
    Ok(body["value"].take())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drivers_port_is_read_from_what_it_says() {
        let said = "Starting ChromeDriver 150.0\nOnly local connections are allowed.\nChromeDriver was started successfully on port 41739.\n";
        assert_eq!(listening(&mut said.as_bytes()).unwrap().port(), 41739);
        assert!(listening(&mut "Starting ChromeDriver\n".as_bytes()).is_err());
    }

    #[test]
    fn what_the_driver_refuses_is_an_error_with_its_reason() {
        let refused =
            Answer { status: 404, body: br#"{"value":{"error":"no such element","message":"no a"}}"#.to_vec() };
        assert!(value(refused).unwrap_err().to_string().contains("no a"));
        let done = Answer { status: 200, body: br#"{"value":{"sessionId":"1"}}"#.to_vec() };
        assert_eq!(value(done).unwrap()["sessionId"], "1");
    }
}
