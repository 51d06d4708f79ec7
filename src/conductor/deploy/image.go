package deploy

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path"

	"bosh-ironic-cpi/src/conductor"
	"bosh-ironic-cpi/src/configdrive"
)

// imageArgs are what write_image is told.
func imageArgs(n *conductor.Node) (map[string]any, error) {
	info := n.Details.InstanceInfo.Map()
	source, _ := info["image_source"].(string)
	u, err := url.Parse(source)
	if err != nil {
		return nil, errors.New("instance_info.image_source is no URL")
	}
	image := map[string]any{
		"id": path.Base(u.Path), "urls": []string{source}, "node_uuid": n.UUID, "image_type": "whole-disk",
		"disk_format": info["image_disk_format"], "checksum": info["image_checksum"],
		"os_hash_algo": info["image_os_hash_algo"], "os_hash_value": info["image_os_hash_value"],
	}
	for key, value := range image {
		if value == nil {
			delete(image, key)
		}
	}
	args := map[string]any{"image_info": image}
	drive, err := driveText(n, info["configdrive"])
	if err == nil && drive != "" {
		args["configdrive"] = drive
	}
	return args, err
}

// driveText is a config drive as the ramdisk takes it: a URL, or base64 of a gzipped image, which an object is made into.
func driveText(n *conductor.Node, drive any) (string, error) {
	switch drive := drive.(type) {
	case string:
		return drive, nil
	case map[string]any:
		return buildDrive(n, drive)
	}
	return "", nil
}

// buildDrive makes an image with OpenStack's tree of the parts given (meta_data always, uuid and name of the node added).
func buildDrive(n *conductor.Node, parts map[string]any) (string, error) {
	meta, _ := parts["meta_data"].(map[string]any)
	if meta == nil {
		meta = map[string]any{}
	}
	for key, value := range map[string]string{"uuid": n.UUID, "name": n.Name} {
		if _, there := meta[key]; !there {
			meta[key] = value
		}
	}
	files := map[string]any{"meta_data.json": meta}
	for part, file := range map[string]string{"network_data": "network_data.json", "vendor_data": "vendor_data2.json", "user_data": "user_data"} {
		if v, there := parts[part]; there && v != nil {
			files[file] = v
		}
	}
	tree := map[string][]byte{}
	for name, content := range files {
		text, isText := content.(string)
		data := []byte(text)
		if !isText {
			var err error
			if data, err = json.Marshal(content); err != nil {
				return "", fmt.Errorf("config drive: %w", err)
			}
		}
		for _, version := range []string{"2012-08-10", "latest"} {
			tree["openstack/"+version+"/"+name] = data
		}
	}
	image, err := configdrive.Build(tree)
	if err != nil {
		return "", fmt.Errorf("config drive: %w", err)
	}
	return configdrive.Encode(image)
}

// plain is a URL without user, password and query, which may hold a signature.
func plain(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "(no URL)"
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}

// bare is a transport's error without the URL that net/http puts before it.
func bare(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
