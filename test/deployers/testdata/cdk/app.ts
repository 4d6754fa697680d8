import {App, CfnOutput, CustomResource, Duration, RemovalPolicy, Stack} from 'aws-cdk-lib'
import {LambdaIntegration, RestApi} from 'aws-cdk-lib/aws-apigateway'
import {AttributeType, BillingMode, Table} from 'aws-cdk-lib/aws-dynamodb'
import {Runtime} from 'aws-cdk-lib/aws-lambda'
import {NodejsFunction} from 'aws-cdk-lib/aws-lambda-nodejs'
import {Bucket} from 'aws-cdk-lib/aws-s3'
import {BucketDeployment, Source} from 'aws-cdk-lib/aws-s3-deployment'
import {Provider} from 'aws-cdk-lib/custom-resources'

const app = new App()
const stack = new Stack(app, 'Hello')

const table = new Table(stack, 'Names', {
  partitionKey: {name: 'id', type: AttributeType.STRING},
  billingMode: BillingMode.PAY_PER_REQUEST,
  removalPolicy: RemovalPolicy.DESTROY,
})
const hello = new NodejsFunction(stack, 'Hi', {
  entry: 'hello/index.ts',
  runtime: Runtime.NODEJS_20_X,
  timeout: Duration.seconds(10),
  environment: {TABLE: table.tableName},
})
table.grantReadWriteData(hello)
const api = new RestApi(stack, 'Api')
api.root.addResource('hello').addResource('{name}').addMethod('GET', new LambdaIntegration(hello))

const bucket = new Bucket(stack, 'Site', {
  websiteIndexDocument: 'index.html',
  publicReadAccess: true,
  blockPublicAccess: {blockPublicAcls: true, ignorePublicAcls: true, blockPublicPolicy: false, restrictPublicBuckets: false},
  removalPolicy: RemovalPolicy.DESTROY,
  autoDeleteObjects: true,
})
new BucketDeployment(stack, 'Content', {sources: [Source.asset('site')], destinationBucket: bucket, memoryLimit: 512})

const maker = new NodejsFunction(stack, 'Maker', {entry: 'hello/maker.ts', runtime: Runtime.NODEJS_20_X})
const made = new CustomResource(stack, 'Made', {
  serviceToken: new Provider(stack, 'Provider', {onEventHandler: maker}).serviceToken,
  properties: {Word: 'custom'},
})

new CfnOutput(stack, 'Word', {value: made.getAttString('Word')})
new CfnOutput(stack, 'Website', {value: bucket.bucketWebsiteUrl})
