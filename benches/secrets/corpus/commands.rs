//! Ways to hand a credential to a program, from the programs' own manuals; `@` stands for the credential.

/// One way.
pub struct Command {
    pub line: &'static str,
    /// Whether no rule was written or changed with its misses in sight.
    pub held_out: bool,
}

const fn open(line: &'static str) -> Command {
    Command { line, held_out: false }
}

const fn held(line: &'static str) -> Command {
    Command { line, held_out: true }
}

/// All of them.
pub const COMMANDS: &[Command] = &[
    // mysql(1), mariadb(1), mysqldump(1)
    open("mysql -h db -u app -p@ shop"),
    open("mysql --user=app --password=@ shop"),
    held("mysqldump -uroot -p@ --single-transaction shop"),
    held("mariadb-admin -u root --password='@' ping"),
    // psql(1), libpq's environment and connection strings
    open("PGPASSWORD=@ psql -h db -U app shop"),
    open("psql postgresql://app:@@db:5432/shop"),
    held("psql \"host=db user=app password=@ dbname=shop\""),
    // curl(1), wget(1), HTTPie
    open("curl -u app:@ https://api.example.org/v1/me"),
    open("curl --user 'app:@' https://api.example.org/v1/me"),
    open("curl -sSf -H \"Authorization: Bearer @\" https://api.example.org/v1/me"),
    held("curl -H 'X-Api-Key: @' https://api.example.org/v1/me"),
    held("curl --header 'PRIVATE-TOKEN: @' https://git.example.org/api/v4/projects"),
    open("curl 'https://api.example.org/v1/me?api_key=@&format=json'"),
    held("curl 'https://api.example.org/v1/me?user=3&access_token=@'"),
    held("curl -X POST -d 'grant_type=password&username=app&password=@' https://id.example.org/token"),
    held("curl -b 'session_token=@' https://example.org/admin"),
    open("wget --http-user=app --http-password=@ https://example.org/file.tar.gz"),
    held("http -a app:@ GET https://api.example.org/v1/me"),
    held("curl -x http://app:@@proxy.example.org:3128 https://example.org/"),
    // docker-login(1), podman-login(1), skopeo(1), oc
    open("docker login -u app -p @ registry.example.org"),
    open("docker login --username app --password @ registry.example.org"),
    held("podman login -u app --password=@ quay.io"),
    held("skopeo copy --dest-creds app:@ oci:image docker://registry.example.org/image"),
    open("docker run --rm -e DB_PASSWORD=@ app:latest"),
    held("docker build --build-arg NPM_TOKEN=@ -t app ."),
    open("echo @ | docker login -u app --password-stdin registry.example.org"),
    held("oc login https://cluster.example.org:6443 --token=@"),
    // kubectl, helm, argocd
    open("kubectl create secret generic db --from-literal=password=@"),
    held("kubectl create secret generic db --from-literal=dsn=@ --namespace shop"),
    held("kubectl create secret docker-registry reg --docker-username=app --docker-password=@"),
    open("helm upgrade shop ./chart --set postgresql.auth.password=@"),
    held("argocd login cd.example.org --username admin --password @"),
    // sshpass(1), git, svn
    open("sshpass -p @ ssh app@host.example.org uptime"),
    held("sshpass -p'@' rsync -a dist/ app@host.example.org:/srv"),
    open("git clone https://app:@@git.example.org/team/app.git"),
    held("git push https://oauth2:@@gitlab.example.org/team/app.git main"),
    held("svn checkout --username app --password @ https://svn.example.org/app"),
    // redis-cli, mongosh, sqlcmd, sqlplus, influx
    open("redis-cli -h cache -a @ ping"),
    open("REDISCLI_AUTH=@ redis-cli ping"),
    held("mongosh --host db -u app -p @ shop"),
    open("mongodump --uri 'mongodb+srv://app:@@db.example.org/shop'"),
    held("sqlcmd -S db -U sa -P @ -Q 'select 1'"),
    held("amqp://app:@@queue.example.org:5672/shop"),
    // openssl-passphrase-options(1), gpg(1), keytool, jarsigner, codesign
    open("openssl pkcs12 -in app.p12 -passin pass:@ -nodes"),
    held("openssl rsa -in key.pem -passout pass:@ -aes256 -out key.enc"),
    open("gpg --batch --pinentry-mode loopback --passphrase @ --sign app.tar"),
    open("keytool -list -keystore app.jks -storepass @"),
    held("jarsigner -keystore app.jks -storepass @ -keypass same app.jar release"),
    held("security unlock-keychain -p @ build.keychain"),
    // 7z, zip(1), ldapsearch(1), smbclient(1), ipmitool(1), mosquitto_pub(1)
    open("7z x backup.7z -p@"),
    held("zip -r -P @ backup.zip data"),
    held("ldapsearch -x -D cn=admin,dc=example,dc=org -w @ -b dc=example,dc=org"),
    held("smbclient //files/share -U app%@ -c ls"),
    held("ipmitool -I lanplus -H bmc -U admin -P @ power status"),
    // Builds and releases
    open("mvn deploy -Dgpg.passphrase=@ -B"),
    held("gradle publish -PsigningPassword=@ --no-daemon"),
    open("npm config set //registry.npmjs.org/:_authToken=@"),
    open("cargo publish --token @"),
    held("twine upload -u app -p @ dist/app-1.0.tar.gz"),
    held("poetry publish --username app --password @"),
    held("sentry-cli --auth-token @ releases new 1.0"),
    open("sonar-scanner -Dsonar.token=@ -Dsonar.projectKey=app"),
    held("vercel deploy --prod --token=@"),
    held("gh secret set DEPLOY --body @"),
    held("ansible-playbook site.yml -e ansible_become_password=@"),
    open("ansible-playbook site.yml --extra-vars 'db_password=@'"),
    held("terraform apply -var db_password=@ -auto-approve"),
    open("az login --service-principal -u 1d3f -p @ --tenant 77aa"),
    held("aws configure set aws_secret_access_key @"),
    held("vault login -method=userpass username=app password=@"),
    // Files and settings that get printed
    open("machine git.example.org login app password @"),
    open("Server=db;Database=shop;User Id=app;Password=@;Encrypt=true"),
    held("DefaultEndpointsProtocol=https;AccountName=shop;AccountKey=@;EndpointSuffix=core.example.org"),
    held("jdbc:mysql://db:3306/shop?user=app&password=@"),
    open("  password: \"@\""),
    held("{\"user\": \"app\", \"password\": \"@\", \"retries\": 3}"),
    held("export ADMIN_PASSWORD='@'"),
    open("smtp_password = \"@\""),
];
