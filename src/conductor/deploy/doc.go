// Package deploy has the deploy interfaces: how an instance gets onto a node.
//
// [Direct] has the deploy ramdisk write the image, as OpenStack Ironic's direct interface does, and speaks
// ironic-python-agent's API with it (commands, "deploy.execute_deploy_step"). [Fake] writes nothing.
package deploy
