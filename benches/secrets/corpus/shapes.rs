//! Shapes of tokens, as the vendors' documentation and their own announcements of prefixes describe them.
//!
//! `{class:length}` stands for random characters: `b62` letters and digits, `url` those with `-` and `_`, `b64` those
//! with `+` and `/`, `hex`, `HEX`, `up` capitals and digits, `low` small letters and digits, `b32` RFC 4648, `dig`
//! digits, `uuid`.

/// One kind of token.
#[derive(Clone, Copy)]
pub struct Shape {
    pub name: &'static str,
    pub template: &'static str,
    /// The variable that the vendor's documentation keeps it in.
    pub variable: &'static str,
    /// Whether nothing but the name beside it says what it is.
    pub needs_name: bool,
    /// Whether no rule was written or changed with its misses in sight.
    pub held_out: bool,
}

const fn open(name: &'static str, template: &'static str, variable: &'static str) -> Shape {
    Shape { name, template, variable, needs_name: false, held_out: false }
}

const fn held(name: &'static str, template: &'static str, variable: &'static str) -> Shape {
    Shape { name, template, variable, needs_name: false, held_out: true }
}

const fn named(shape: Shape) -> Shape {
    Shape { needs_name: true, ..shape }
}

/// All of them.
pub const SHAPES: &[Shape] = &[
    // docs.github.com, "About authentication to GitHub", token formats.
    open("GitHub classic", "ghp_{b62:36}", "GITHUB_TOKEN"),
    open("GitHub fine-grained", "github_pat_{b62:22}_{b62:59}", "GH_TOKEN"),
    held("GitHub OAuth", "gho_{b62:36}", "GITHUB_TOKEN"),
    held("GitHub user-to-server", "ghu_{b62:36}", "GH_TOKEN"),
    open("GitHub server-to-server", "ghs_{b62:36}", "GITHUB_TOKEN"),
    held("GitHub refresh", "ghr_{b62:36}", "REFRESH_TOKEN"),
    // docs.gitlab.com, token overview.
    open("GitLab personal", "glpat-{url:20}", "GITLAB_TOKEN"),
    held("GitLab runner", "glrt-{url:20}", "RUNNER_TOKEN"),
    held("GitLab deploy", "gldt-{url:20}", "DEPLOY_TOKEN"),
    open("GitLab trigger", "glptt-{hex:40}", "TRIGGER_TOKEN"),
    // docs.aws.amazon.com, IAM identifiers and access keys.
    open("AWS access key id", "AKIA{b32:16}", "AWS_ACCESS_KEY_ID"),
    held("AWS temporary key id", "ASIA{b32:16}", "AWS_ACCESS_KEY_ID"),
    named(open("AWS secret access key", "{b64:40}", "AWS_SECRET_ACCESS_KEY")),
    // api.slack.com, token types; incoming webhooks.
    open("Slack bot", "xoxb-{dig:12}-{dig:13}-{b62:24}", "SLACK_BOT_TOKEN"),
    held("Slack user", "xoxp-{dig:12}-{dig:12}-{dig:13}-{hex:32}", "SLACK_TOKEN"),
    open("Slack app", "xapp-1-A{up:10}-{dig:13}-{hex:64}", "SLACK_APP_TOKEN"),
    open("Slack webhook", "https://hooks.slack.com/services/T{up:10}/B{up:10}/{b62:24}", "SLACK_WEBHOOK_URL"),
    // docs.stripe.com/keys.
    open("Stripe live", "sk_live_{b62:24}", "STRIPE_SECRET_KEY"),
    held("Stripe restricted", "rk_live_{b62:24}", "STRIPE_KEY"),
    // cloud.google.com, API keys and OAuth clients.
    open("Google API key", "AIza{url:35}", "GOOGLE_API_KEY"),
    held("Google OAuth secret", "GOCSPX-{url:28}", "GOOGLE_CLIENT_SECRET"),
    // The registries' own pages on tokens.
    open("npm", "npm_{b62:36}", "NPM_TOKEN"),
    open("PyPI", "pypi-AgEIcHlwaS5vcmc{url:120}", "TWINE_PASSWORD"),
    held("RubyGems", "rubygems_{hex:48}", "GEM_HOST_API_KEY"),
    held("Docker Hub", "dckr_pat_{url:27}", "DOCKER_PASSWORD"),
    named(held("NuGet", "oy2{low:43}", "NUGET_API_KEY")),
    held("Clojars", "CLOJARS_{low:60}", "CLOJARS_PASSWORD"),
    // Mail and messages.
    open("SendGrid", "SG.{url:22}.{url:43}", "SENDGRID_API_KEY"),
    named(held("Mailgun", "key-{hex:32}", "MAILGUN_API_KEY")),
    named(open("Mailchimp", "{hex:32}-us12", "MAILCHIMP_API_KEY")),
    held("Twilio", "SK{hex:32}", "TWILIO_API_KEY"),
    held("Brevo", "xkeysib-{hex:64}-{low:16}", "SENDINBLUE_API_KEY"),
    open("Telegram bot", "{dig:10}:AA{url:33}", "TELEGRAM_BOT_TOKEN"),
    named(held("Discord bot", "M{url:25}.{url:6}.{url:38}", "DISCORD_TOKEN")),
    // Hosting.
    open("DigitalOcean", "dop_v1_{hex:64}", "DIGITALOCEAN_TOKEN"),
    held("DigitalOcean OAuth", "doo_v1_{hex:64}", "DIGITALOCEAN_ACCESS_TOKEN"),
    open("Heroku", "HRKU-AA{url:58}", "HEROKU_API_KEY"),
    named(open("Cloudflare", "{url:40}", "CLOUDFLARE_API_TOKEN")),
    named(held("Netlify", "nfp_{b62:36}", "NETLIFY_AUTH_TOKEN")),
    held("Fly.io", "fo1_{url:43}", "FLY_API_TOKEN"),
    named(held("Vercel", "{b62:24}", "VERCEL_TOKEN")),
    named(open("Azure storage", "{b64:86}==", "AZURE_STORAGE_KEY")),
    held("Azure client secret", "{b62:3}8Q~{url:34}", "AZURE_CLIENT_SECRET"),
    // Infrastructure.
    open("Vault service", "hvs.{url:95}", "VAULT_TOKEN"),
    held("Vault batch", "hvb.{url:150}", "VAULT_TOKEN"),
    open("Terraform Cloud", "{b62:14}.atlasv1.{url:64}", "TF_API_TOKEN"),
    held("Pulumi", "pul-{hex:40}", "PULUMI_ACCESS_TOKEN"),
    open("Databricks", "dapi{hex:32}", "DATABRICKS_TOKEN"),
    open("Doppler", "dp.pt.{b62:43}", "DOPPLER_TOKEN"),
    named(held("Tailscale", "tskey-auth-{b62:17}-{b62:32}", "TS_AUTHKEY_SECRET")),
    held("age", "AGE-SECRET-KEY-1{age:58}", "AGE_SECRET"),
    // Watching.
    open("Grafana service account", "glsa_{b62:32}_{hex:8}", "GRAFANA_TOKEN"),
    held("New Relic", "NRAK-{up:27}", "NEW_RELIC_API_KEY"),
    named(open("Datadog", "{hex:32}", "DD_API_KEY")),
    held("Sentry user", "sntryu_{hex:64}", "SENTRY_AUTH_TOKEN"),
    held("Dynatrace", "dt0c01.{up:24}.{up:64}", "DT_API_TOKEN"),
    named(held("SonarQube", "sqp_{hex:40}", "SONAR_TOKEN")),
    named(open("Snyk", "{uuid:0}", "SNYK_TOKEN")),
    // Work.
    open("Linear", "lin_api_{b62:40}", "LINEAR_API_KEY"),
    held("Notion", "ntn_{dig:11}{b62:35}", "NOTION_TOKEN"),
    open("Atlassian", "ATATT3xFfGF0{url:172}={HEX:8}", "JIRA_API_TOKEN"),
    held("Postman", "PMAK-{hex:24}-{hex:34}", "POSTMAN_API_KEY"),
    held("Contentful", "CFPAT-{url:43}", "CONTENTFUL_MANAGEMENT_TOKEN"),
    open("Shopify", "shpat_{hex:32}", "SHOPIFY_ACCESS_TOKEN"),
    held("Square", "sq0atp-{url:22}", "SQUARE_ACCESS_TOKEN"),
    held("PlanetScale", "pscale_tkn_{url:43}", "PLANETSCALE_TOKEN"),
    // Models.
    open("OpenAI project", "sk-proj-{url:74}T3BlbkFJ{url:74}", "OPENAI_API_KEY"),
    open("Anthropic", "sk-ant-api03-{url:93}AA", "ANTHROPIC_API_KEY"),
    held("Hugging Face", "hf_{letters:34}", "HF_TOKEN"),
    named(held("Groq", "gsk_{b62:52}", "GROQ_API_KEY")),
    // RFC 7519 and RFC 7468.
    open("JSON Web Token", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOi{b62:40}.{url:43}", "ID_TOKEN"),
    open(
        "private key",
        "-----BEGIN RSA PRIVATE KEY-----\n{b64:64}\n{b64:64}\n{b64:64}\n{b64:42}==\n-----END RSA PRIVATE KEY-----",
        "SSH_PRIVATE_KEY",
    ),
    held(
        "OpenSSH key",
        "-----BEGIN OPENSSH PRIVATE KEY-----\n{b64:70}\n{b64:70}\n{b64:70}\n{b64:42}==\n-----END OPENSSH PRIVATE KEY-----",
        "DEPLOY_KEY",
    ),
];
