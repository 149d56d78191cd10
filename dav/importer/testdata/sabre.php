<?php
// The classes that Baïkal and Nextcloud are made of, as a server for `php -S`.
date_default_timezone_set('UTC');
error_reporting(E_ALL & ~E_DEPRECATED);
require_once 'Sabre/autoload.php';
$pdo = new \PDO('sqlite:' . getenv('SABRE_DATABASE'));
$pdo->setAttribute(PDO::ATTR_ERRMODE, PDO::ERRMODE_EXCEPTION);
if (!$pdo->query("SELECT name FROM sqlite_master")->fetch()) {
	foreach (['addressbooks', 'calendars', 'principals', 'users'] as $table)
		$pdo->exec(file_get_contents('/usr/share/doc/php-sabre-dav/examples/sql/sqlite.' . $table . '.sql'));
}
$principals = new \Sabre\DAVACL\PrincipalBackend\PDO($pdo);
$server = new \Sabre\DAV\Server([
	new \Sabre\CalDAV\Principal\Collection($principals),
	new \Sabre\CalDAV\CalendarRootNode($principals, new \Sabre\CalDAV\Backend\PDO($pdo)),
	new \Sabre\CardDAV\AddressBookRoot($principals, new \Sabre\CardDAV\Backend\PDO($pdo)),
]);
$server->setBaseUri('/');
$server->addPlugin(new \Sabre\DAV\Auth\Plugin(new \Sabre\DAV\Auth\Backend\PDO($pdo), 'SabreDAV'));
$server->addPlugin(new \Sabre\CalDAV\Plugin());
$server->addPlugin(new \Sabre\CardDAV\Plugin());
$server->addPlugin(new \Sabre\DAVACL\Plugin());
$server->exec();
