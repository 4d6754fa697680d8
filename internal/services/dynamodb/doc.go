// Package dynamodb is the DynamoDB room: tables, items, queries, indexes and
// transactions, kept in the store under keys whose order is that of DynamoDB's
// keys, so that a Query is one range of the store.
//
//   - https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/
//   - https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/
//
// What is said of values and expressions is in the package expr; how items and
// keys are stored, in encoding.go and state.go.
//
// # How it behaves
//
// Tables are ACTIVE as soon as they are made. A new global index of a small table
// is ready when UpdateTable answers; otherwise it is filled in the background,
// the table is UPDATING meanwhile, and the work survives a restart. Indexes are
// written in the same transaction as their item, so reading them is as consistent
// as reading the table. ItemCount and the sizes are counted when asked for: those
// of tables with more than 10,000 items at most every ten minutes.
//
// Items with a time to live are deleted within about ten seconds of their time,
// unless that lies more than five years back. Until then they are read like others.
//
// A TableName may be an ARN. Tables have no resource policies, so nobody reaches
// the tables of another account.
//
// # Settings without meaning
//
// These are accepted, described as they were given, and change nothing:
//
//   - ProvisionedThroughput of tables and global indexes: capacity is what the
//     machine has; nothing is throttled and nothing is billed. So is what
//     BillingMode chooses between.
//   - TableClass: it chooses between prices.
//
// # Refused by name
//
// StreamSpecification, SSESpecification (with keys of KMS), WarmThroughput,
// OnDemandThroughput, ResourcePolicy, replicas and everything else of global
// tables, and key schemas of more than two attributes.
//
// # Differences
//
//   - Reads are always strongly consistent; ConsistentRead decides what they cost.
//   - Names of tables and indexes may have one or two characters, as the model says;
//     AWS asks for three.
//   - The 10 GB limit of item collections is not enforced.
//   - Sets and numbers come back in normal form: sets sorted, numbers without an
//     exponent.
//   - Items that one request both checks and changes are never in conflict with
//     another request: TransactionConflict is not answered, one waits for the other.
package dynamodb
