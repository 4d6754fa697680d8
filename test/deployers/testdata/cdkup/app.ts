import {App, CfnOutput, CfnParameter, Duration, Stack} from 'aws-cdk-lib'
import {LambdaIntegration, RestApi} from 'aws-cdk-lib/aws-apigateway'
import {AttributeType, BillingMode, Table} from 'aws-cdk-lib/aws-dynamodb'
import {Runtime} from 'aws-cdk-lib/aws-lambda'
import {NodejsFunction} from 'aws-cdk-lib/aws-lambda-nodejs'

const app = new App()
const data = new Stack(app, 'Data', {tags: {team: 'orders'}})
const table = new Table(data, 'Names', {partitionKey: {name: 'id', type: AttributeType.STRING}, billingMode: BillingMode.PAY_PER_REQUEST})

const api = new Stack(app, 'Api', {stackName: 'ApiOfUp'}) // it stands before Data by name, and needs it
const stage = new CfnParameter(api, 'Stage', {default: 'none'})
const hello = new NodejsFunction(api, 'Hello', {
  entry: 'hello/index.ts', runtime: Runtime.NODEJS_22_X, timeout: Duration.seconds(10),
  environment: {GREETING: `${app.node.tryGetContext('greeting')} ${stage.valueAsString} of ${process.env.CDK_DEFAULT_REGION}`, TABLE: table.tableName},
})
const rest = new RestApi(api, 'Rest')
rest.root.addResource('{name}').addMethod('GET', new LambdaIntegration(hello))
new CfnOutput(api, 'Table', {value: table.tableName})
