// Package cloudformation is the room of AWS CloudFormation: stacks and change
// sets, made of the resource types that the other rooms provide, from templates
// in JSON, YAML and SAM.
//
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/Welcome.html
//
// # How a stack operation runs
//
// A template is checked in full before anything is made: its form, its
// references, its parameters, circles, the existence of every resource type and
// the properties as far as their values are known. What fails there is answered
// at once with the line, and leaves nothing behind.
//
// An operation then runs in the background. A stack's status says which phase it
// is in (CREATE_IN_PROGRESS, ROLLBACK_IN_PROGRESS, UPDATE_COMPLETE_CLEANUP_IN_PROGRESS
// and so on), and each resource's record says how far it has come, so that an
// operation that was interrupted by a crash goes on where it stood: what was
// begun is begun again with the same token. Independent resources are made in
// parallel.
//
// # Deliberate differences
//
//   - Unknown resource types and wrong properties are refused when the operation
//     is asked for, not when the resource's turn comes.
//   - A missing export is refused at the same time.
//   - The operations that begin a stack operation may linger for a moment
//     (Deps.Linger) before they answer, so that clients that poll every 30 s find
//     a small stack ready when they first look.
//   - A resource whose creation a crash interrupted is looked for at the next start,
//     among what was not there before it began; what is found is completed, and
//     otherwise it is created again with the same token.
//   - A custom resource's provider may be asked twice, with the same RequestId, if
//     the server ends between its invocation and the note of that. Its ResponseURL
//     is an https address of this server, at its port; functions trust the server's
//     certificate authority.
//   - In-flight resources are let finish when another fails, but for custom
//     resources and wait conditions, which are cancelled; AWS cancels all.
//   - A nested stack is updated when its own properties change (its TemplateURL,
//     say), not at every update of its parent, and has a change set only then. The
//     change sets of nested stacks are deleted when their root is executed, and a
//     nested stack that is to be made is not there under review before.
//   - Macros run while the operation is asked for, which answers what they did wrong;
//     on AWS the stack or change set fails with the same words. No template may ask
//     for a macro in what another macro returned.
//   - A value that an AllowedPattern with look-aheads or back references needs more than
//     a second for does not match it. Simpler patterns take linear time.
//   - Change sets have no events: what is wrong with one is answered when it is asked for.
//   - RollbackStack and ContinueUpdateRollback go on with the operation that failed, under
//     an operation id of their own in its events.
//   - An operation begun with session policies that is resumed after a crash
//     goes on without any permission, because session policies are not stored.
//   - Operations on stack sets may linger like those on stacks. Stack sets with
//     service-managed permissions (PermissionModel SERVICE_MANAGED, AutoDeployment, organizational
//     units, CallAs DELEGATED_ADMIN) are refused by name: there is no AWS Organizations here.
//     A stack whose creation failed is deleted and made anew when its instance is updated.
//     Their operations are shown for 90 days after their end, and go with the stack set.
//
// # Operations that there are not
//
// EstimateTemplateCost (there are no prices), registering, activating, testing and
// publishing types, hooks and their results, generated templates and resource scans,
// stack refactoring, and DescribeAccountLimits (the number of stacks has no limit).
//
// # Settings that are refused by name
//
// Rollback triggers, notification topics,
// CreationPolicy and UpdatePolicy but for wait conditions and aliases, DeletionPolicy Snapshot, the Hooks section,
// LogGroupName and LogRoleARN of macros, dynamic references in outputs, Fn::ValueOf and Fn::ValueOfAll
// in rules (they read attributes of EC2 and Route 53), and every value of a parameter whose
// type names something of EC2 or Route 53, where nothing exists, but for availability zones.
//
// Dynamic references in properties (ssm, secretsmanager, and ssm-secure where AWS
// takes it) are resolved as the stack's principal when a resource type acts, and
// are stored, compared and shown as they are written. Handlers' errors do not show
// the values. ssm-secure is refused elsewhere, and references to secrets in custom
// resources and nested stacks.
package cloudformation
